"""Files that are either whole or not there: written beside their target, forced to disk, then renamed."""

import json
import math
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from softdraw.molecules.errors import OutputError

__all__ = ["make_folder", "output_errors", "write_bytes", "write_json", "write_text"]


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


def write_bytes(path: str | os.PathLike[str], content: bytes) -> None:
    """Replace a file by ``content``; a reader, or a crash, finds the old file or the new one, never a part.

    Args:
        path: the file; its folder exists.
        content: all of it.

    Raises:
        OutputError: the folder cannot be written or the disk is full; the old file is as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     write_bytes(f"{folder}/a", b"new")
        ...     os.listdir(folder)
        ['a']
    """
    target = Path(path)
    unfinished: Path | None = None
    with output_errors(target):
        try:
            descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
            unfinished = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            # mkstemp keeps its files to their owner; a result is as readable as any other file of the user
            unfinished.chmod(0o666 & ~_umask())
            os.replace(unfinished, target)
            _sync_folder(target.parent)
        finally:
            if unfinished is not None:
                unfinished.unlink(missing_ok=True)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """``write_bytes`` of text as UTF-8.

    Raises:
        OutputError: as ``write_bytes``.
    """
    write_bytes(path, text.encode("utf-8", errors="surrogateescape"))


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


def _umask() -> int:
    """The umask of this process, without ``os.umask``, which would change it for a moment for all threads."""
    try:
        with open("/proc/self/status", encoding="ascii") as status:
            for line in status:
                if line.startswith("Umask:"):
                    return int(line.split()[1], 8)
    except (OSError, ValueError):
        pass
    return 0o022


def _sync_folder(folder: Path) -> None:
    """A rename outlives a power cut only once its folder is on disk too; not every system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
