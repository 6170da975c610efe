"""Which kind of file of molecules a name stands for, and its content, unpacked."""

import bz2
import gzip
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Any

from softdraw.molecules.errors import DataError

__all__ = ["READERS", "Meter", "form_of", "open_bytes", "refused"]

READERS = {
    ".smi": "list",
    ".smiles": "list",
    ".ism": "list",
    ".cxsmiles": "list",
    ".txt": "list",
    ".csv": "table",
    ".tsv": "table",
    ".sdf": "SD file",
    ".sd": "SD file",
}
"""How files are read, by suffix."""

_PACKERS: dict[str, tuple[bytes, Callable[..., Any]]] = {
    ".gz": (b"\x1f\x8b", gzip.open),
    ".bz2": (b"BZh", bz2.open),
    ".xz": (b"\xfd7zXZ\0", lzma.open),
}
"""By suffix: how a packed file begins, and what unpacks it."""
_DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile)


class Meter:
    """How much of a source has been read.

    Attributes:
        of: says it, from 0 to 1.
    """

    def __init__(self) -> None:
        self.of: Callable[[], float] = lambda: 0.0

    @property
    def share(self) -> float:
        """The share that has been read by now."""
        return self.of()

    def tell(self, share: float) -> None:
        """Set the share."""
        self.of = lambda: share

    def follow(self, file: IO[bytes], size: int) -> None:
        """Go by the place in a file of so many bytes, packed or not."""
        self.of = lambda: 1.0 if file.closed else file.tell() / max(size, 1)


def form_of(file: Path) -> str:
    """How a file is read: one of the values of ``READERS``. Of a ``.zip``, that is told by the file in it.

    Raises:
        DataError: there is no such file, its kind is unknown, or it is a ``.zip`` without one file of
            molecules.
    """
    try:
        suffix = _suffix(_member(file).name if file.suffix.lower() == ".zip" else file.name)
    except (OSError, *_DAMAGED) as error:
        raise refused(file, error) from error
    if suffix not in READERS:
        # a missing file with an odd name is a typing error or a misspelt source: say that first
        if not file.exists():
            raise refused(file, FileNotFoundError())
        if file.is_dir():
            raise refused(file, IsADirectoryError())
        raise DataError(
            f"{file}: unknown kind {suffix or 'without a suffix'}; expected {', '.join(READERS)}, or these "
            f"with {', '.join(_PACKERS)} or in a .zip"
        )
    return READERS[suffix]


@contextmanager
def open_bytes(file: Path, meter: Meter | None = None) -> Iterator[IO[bytes]]:
    """The content of a file, unpacked where its name or its first bytes say that it is packed."""
    with file.open("rb") as raw, ExitStack() as stack:
        if meter is not None:
            meter.follow(raw, file.stat().st_size)
        content: Any = raw
        name = file.name
        if file.suffix.lower() == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(raw))
            name = _member(file).name
            content = stack.enter_context(archive.open(str(_member(file))))
        for suffix, (beginning, unpacked) in _PACKERS.items():
            if name.lower().endswith(suffix) or content.peek(len(beginning)).startswith(beginning):
                content = stack.enter_context(unpacked(content))
                break
        yield content


def refused(file: Path, error: Exception) -> DataError:
    """What to say where a file cannot be read."""
    if isinstance(error, FileNotFoundError):
        return DataError(f"{file}: no such file; expected a file of molecules, 'chemicals' or 'qm9'")
    if isinstance(error, IsADirectoryError):
        return DataError(f"{file}: is a folder, expected a file of molecules")
    if isinstance(error, PermissionError):
        return DataError(f"{file}: no permission to read it")
    if isinstance(error, _DAMAGED):
        kind = {".bz2": "bzip2", ".xz": "xz", ".zip": "zip"}.get(file.suffix.lower(), "gzip")
        return DataError(f"{file}: damaged or no {kind} file ({error})")
    return DataError(f"{file}: cannot be read ({error})")


def _suffix(name: str) -> str:
    """The last suffix of a name, that of packing aside.

    Example:
        >>> _suffix("a.smi.gz"), _suffix("a.CSV"), _suffix("a")
        ('.smi', '.csv', '')
    """
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes and suffixes[-1] in _PACKERS:
        suffixes.pop()
    return suffixes[-1] if suffixes else ""


def _member(file: Path) -> PurePosixPath:
    """The one file of molecules in a ``.zip``."""
    with zipfile.ZipFile(file) as archive:
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    # macOS puts a hidden file beside each
    names = [PurePosixPath(entry.filename) for entry in entries]
    names = [name for name in names if not name.name.startswith(".") and name.parts[0] != "__MACOSX"]
    molecules = [name for name in names if _suffix(name.name) in READERS]
    if len(molecules) != 1:
        found = "no file" if not names else ", ".join(map(str, (molecules or names)[:5]))
        more = ", ..." if len(molecules or names) > 5 else ""
        raise DataError(f"{file}: holds {found}{more}; expected one file of molecules ({', '.join(READERS)})")
    if next(e for e in entries if PurePosixPath(e.filename) == molecules[0]).flag_bits & 1:
        raise DataError(f"{file}: {molecules[0]} in it needs a password; unpack it first")
    return molecules[0]
