"""The files of MNIST are read as they were written, and what is no such file is refused in words."""

import gzip
import hashlib

import pytest
import torch


def test_images_and_labels_are_read_zipped_or_not(mnist):
    from benchmarks.mnist import read_images, read_labels

    images, labels = read_images(mnist, "train"), read_labels(mnist, "train")
    assert (images.shape, images.dtype, labels.dtype) == ((60, 28, 28), torch.uint8, torch.int64)
    assert torch.equal(images[:, 0, 0] == 255, labels == 0)
    path = mnist / "t10k-images-idx3-ubyte"
    plain = read_images(mnist, "t10k")
    (mnist / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert torch.equal(read_images(mnist, "t10k"), plain)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda raw: raw[:-5], "is no file of MNIST"),
        (lambda raw: b"", "is no file of MNIST"),
        (lambda raw: b"\0\0\x08\x01" + raw[4:], "begins with 2049, expected 2051"),
        (None, "holds neither train-images-idx3-ubyte nor train-images-idx3-ubyte.gz; --data mnist"),
    ],
)
def test_what_is_no_such_file_is_refused(mnist, damage, message):
    from benchmarks.mnist import read_images

    path = mnist / "train-images-idx3-ubyte"
    if damage is None:
        path.unlink()
    else:
        path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SystemExit, match=message):
        read_images(mnist, "train")


def test_a_download_is_checked(monkeypatch, tmp_path):
    pooch = pytest.importorskip("pooch")
    from benchmarks import mnist

    def retrieve(url, known_hash, fname, path):
        path.mkdir(parents=True, exist_ok=True)
        (path / fname).write_bytes(gzip.compress(url.encode()))

    monkeypatch.setenv("SOFTDRAW_CACHE", str(tmp_path))
    monkeypatch.setattr(pooch, "retrieve", retrieve)
    with pytest.raises(SystemExit, match="is not the published file"):
        mnist.find_folder("mnist")
    assert not list((tmp_path / "mnist").iterdir())  # it would be found there the next time
    known = {
        name: hashlib.sha256(f"{mnist.DOWNLOAD}{name}.gz".encode()).hexdigest() for name in mnist.CHECKSUMS
    }
    monkeypatch.setattr(mnist, "CHECKSUMS", known)
    assert mnist.find_folder("mnist") == tmp_path / "mnist"
    assert mnist.find_folder("somewhere").name == "somewhere"
