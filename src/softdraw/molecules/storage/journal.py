"""A text file that grows line by line, each line with the system before the next piece of work begins.

The one exception to "whole or not there": what was paid for must outlive a process that is killed the moment
after. A line that was cut off by it is dropped by the next reader.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.storage.atomic import make_folder, output_errors

__all__ = ["Journal", "Lines", "read_lines"]


class Lines(NamedTuple):
    """What a journal holds.

    Attributes:
        whole: its lines, without their ends.
        torn: the beginning of a last line that has no end; empty where there is none.
        size: bytes of the whole lines.
    """

    whole: list[str]
    torn: str
    size: int


def read_lines(path: Path) -> Lines:
    """Read a journal; one that is not there holds nothing.

    Raises:
        CheckpointError: it cannot be read, or is no text.

    Example:
        >>> read_lines(Path("no such file"))
        Lines(whole=[], torn='', size=0)
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return Lines([], "", 0)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror or error})") from error
    size = content.rfind(b"\n") + 1
    try:
        whole = content[:size].decode("utf-8").split("\n")[:-1]
    except UnicodeDecodeError as error:
        raise CheckpointError(f"{path}: damaged, not UTF-8 text ({error})") from None
    return Lines(whole, content[size:].decode("utf-8", errors="replace"), size)


class Journal:
    r"""The file, open to be appended to.

    Args:
        path: the file; its folder is made if it is missing.
        size: bytes to keep of what is there; the rest, a torn line, is cut off.

    Raises:
        OutputError: the folder or the file cannot be written.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     journal = Journal(Path(folder, "a"))
        ...     journal.append("one\n")
        ...     journal.close()
        ...     read_lines(Path(folder, "a")).whole
        ['one']
    """

    def __init__(self, path: Path, size: int = 0) -> None:
        self.path = path
        make_folder(path.parent)
        with output_errors(path):
            # in no buffer of this process: a line is with the system when ``append`` comes back
            flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._file = open(os.open(path, flags, 0o666), "r+b", buffering=0)  # noqa: SIM115
            self._file.truncate(size)
            self._file.seek(size)
        self._size = size

    def append(self, text: str) -> None:
        """Write whole lines; they outlive the process, and with ``sync`` a power cut.

        Raises:
            OutputError: the disk is full; the lines before are as they were.
        """
        data = text.encode("utf-8")
        with output_errors(self.path):
            try:
                written = 0
                while written < len(data):
                    written += self._file.write(data[written:])
            except OSError:
                with suppress(OSError):
                    self._file.truncate(self._size)
                    self._file.seek(self._size)
                raise
        self._size += len(data)

    def sync(self) -> None:
        """Force to disk what was appended.

        Raises:
            OutputError: the disk is full or gone.
        """
        with output_errors(self.path):
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()
