"""Files: written whole or not at all, and where those lie that may be thrown away.

May import: nothing of softdraw.
"""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["atomic", "cache_folder"]

_LONGEST = 100
"""Characters of the target's name in that of the unfinished file; file systems allow 255 bytes in all."""


@contextmanager
def atomic(path: str | os.PathLike[str]) -> Iterator[IO[bytes]]:
    """A binary file that takes the place of ``path`` when the body ends, and never before.

    It is written beside its target, forced to disk, then renamed. A reader, a crash or a full disk finds the
    old file or the new one, never a part, and nothing is left beside it. The file is as readable to others as
    any other file of the user (the process's umask). What is no regular file, such as ``/dev/stdout`` or a
    pipe, is written to directly.

    Args:
        path: the file; its folder exists.

    Yields:
        The file, open for writing.

    Raises:
        OSError: the folder cannot be written or the disk is full; the old file is as it was.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     with atomic(f"{folder}/a") as file:
        ...         _ = file.write(b"new")
        ...     os.listdir(folder)
        ['a']
    """
    target = Path(path)
    if target.exists() and not target.is_file():
        with target.open("wb") as file:  # a folder is refused here, in the system's words
            yield file
        return
    unfinished = target.parent / f".{target.name[:_LONGEST]}.{secrets.token_hex(4)}"
    # made as any other file of the user would be; tempfile's are closed to all others
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    descriptor = os.open(unfinished, flags, 0o666)
    try:
        try:
            file = os.fdopen(descriptor, "wb")
        except BaseException:
            os.close(descriptor)
            raise
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, target)
        _sync_folder(target.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """A rename outlives a power cut only once its folder is on disk too; not every system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cache_folder() -> Path:
    """Where lies what may be thrown away: ``$SOFTDRAW_CACHE``, or the user's cache, as the system has it.

    It may not be there yet. Without a package, since a bare installation has none for it.

    Example:
        >>> cache_folder().is_absolute() or "SOFTDRAW_CACHE" in os.environ
        True
    """
    if given := os.environ.get("SOFTDRAW_CACHE"):
        return Path(given)
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
        return Path(local) / "softdraw" / "Cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "softdraw"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "softdraw"
