"""The images of MNIST, from the original files in a folder, or downloaded once and checked.

LeCun, Cortes and Burges 1998. Four files, as they were published: 60,000 images to learn from, and 10,000.
"""

import gzip
import hashlib
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from softdraw.files import cache_folder

__all__ = ["CHECKSUMS", "DOWNLOAD", "find_folder", "read_images", "read_labels"]

DOWNLOAD = "https://ossci-datasets.s3.amazonaws.com/mnist/"
#: sha256 of the files once unpacked, which says nothing of how they were compressed
CHECKSUMS = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
IMAGES, LABELS = 2051, 2049
"""First number of a file of images, and of one of labels."""


def find_folder(where: str) -> Path:
    """The folder of the files: ``where`` itself, or for ``"mnist"`` the one that they were downloaded to.

    Raises:
        SystemExit: a file cannot be had, or is not the published one.
    """
    if where != "mnist":
        return Path(where)
    import pooch

    folder = cache_folder() / "mnist"
    for name, known in CHECKSUMS.items():
        path = folder / f"{name}.gz"
        try:
            pooch.retrieve(f"{DOWNLOAD}{name}.gz", known_hash=None, fname=path.name, path=folder)
            found = hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
        except (OSError, EOFError, zlib.error) as error:
            raise SystemExit(f"{DOWNLOAD}{name}.gz: {error}") from error
        if found != known:
            path.unlink()
            raise SystemExit(
                f"{DOWNLOAD}{name}.gz: is not the published file (sha256 {found}, expected {known})"
            )
    return folder


def read_images(folder: Path, part: str) -> Tensor:
    """``[N, 28, 28]`` uint8 of ``part`` ``"train"`` or ``"t10k"``."""
    return _read(folder, f"{part}-images-idx3-ubyte", IMAGES)


def read_labels(folder: Path, part: str) -> Tensor:
    """``[N]`` int64."""
    return _read(folder, f"{part}-labels-idx1-ubyte", LABELS).long()


def _read(folder: Path, name: str, magic: int) -> Tensor:
    """One file of the idx format, compressed or not.

    Raises:
        SystemExit: it is missing, damaged or something else.
    """
    plain, zipped = folder / name, folder / f"{name}.gz"
    path = plain if plain.exists() else zipped
    try:
        raw = path.read_bytes()
        raw = gzip.decompress(raw) if path is zipped else raw
        (found,) = struct.unpack(">i", raw[:4])
        sizes = struct.unpack(f">{found % 256}i", raw[4 : 4 + 4 * (found % 256)])
        values = torch.frombuffer(bytearray(raw[4 + 4 * len(sizes) :]), dtype=torch.uint8)
        if found != magic:
            raise ValueError(f"begins with {found}, expected {magic}")
        return values.reshape(sizes)
    except FileNotFoundError:
        raise SystemExit(
            f"{folder}: holds neither {name} nor {name}.gz; --data mnist downloads them"
        ) from None
    except (OSError, EOFError, ValueError, RuntimeError, struct.error, zlib.error) as error:
        raise SystemExit(f"{path}: is no file of MNIST ({error})") from None
