"""How a file is written (``atomic``), what is said when it cannot be, and text and JSON on top of it."""

import gzip
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from softdraw import files
from softdraw.molecules.errors import OutputError

__all__ = [
    "atomic",
    "make_folder",
    "output_errors",
    "write_bytes",
    "write_json",
    "write_pieces",
    "write_text",
]


@contextmanager
def output_errors(target: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the operating system's refusal to write ``target`` into an ``OutputError`` that names it.

    Raises:
        OutputError: the body raised ``OSError``: no permission, no space left, not a folder, ...

    Example:
        >>> with output_errors("out/report.html"):
        ...     raise OSError(28, "No space left on device")
        Traceback (most recent call last):
        softdraw.molecules.errors.OutputError: out/report.html: cannot be written (No space left on device)
    """
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error) or type(error).__name__
        raise OutputError(f"{os.fspath(target)}: cannot be written ({why})") from error


def make_folder(path: str | os.PathLike[str]) -> Path:
    """A folder that exists and takes new files, made if it is missing.

    Writing is tried, because permissions alone do not tell of a full disk or a read-only mount.

    Raises:
        OutputError: it cannot be made or written to.
    """
    folder = Path(path)
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable.") as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
            os.fsync(probe.fileno())
    return folder


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """``softdraw.files.atomic`` with errors that a user can act on: the one writer of this room.

    Text, JSON, arrays, tensors, checkpoints and reports all go through it.

    Args:
        path: the file; its folder exists.

    Yields:
        A binary file that takes the place of ``path`` when the body ends.

    Raises:
        OutputError: the folder cannot be written or the disk is full; the old file is as it was.

    Example:
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic(f"{folder}/a") as file:
        ...         _ = file.write(b"new")
        ...     os.listdir(folder)
        ['a']
    """
    with output_errors(path):
        try:
            with files.atomic(path) as file:
                yield file
        except RuntimeError as error:
            # torch.save hides the system's refusal behind an error of its own
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            if cause is None:
                raise
            raise cause from error


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file by ``content``, as ``atomic`` does.

    Args:
        path: the file; its folder exists.
        content: all of it.

    Raises:
        OutputError: as ``atomic``.
    """
    with atomic(path) as file:
        file.write(content)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """``write_bytes`` of text as UTF-8.

    Raises:
        OutputError: as ``write_bytes``.
    """
    write_bytes(path, text.encode("utf-8", errors="surrogateescape"))


def write_pieces(path: str | os.PathLike[str], pieces: Iterable[str]) -> None:
    """``write_text`` of text that comes in pieces; gzipped where the name ends with ``.gz``.

    The same text gives the same bytes: a gzipped file holds neither its name nor a time.

    Raises:
        OutputError: as ``write_bytes``.
    """
    with atomic(path) as file:
        if not os.fspath(path).lower().endswith(".gz"):
            file.writelines(piece.encode() for piece in pieces)
            return
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
            packed.writelines(piece.encode() for piece in pieces)


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write JSON that every reader understands: NaN and infinities, which JSON does not know, become null.

    Raises:
        OutputError: as ``write_bytes``.
    """
    write_text(path, json.dumps(_plain(value), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(name): _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(entry) for entry in value]
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist") and not isinstance(value, str):  # numpy's and torch's scalars and arrays
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return str(value)
