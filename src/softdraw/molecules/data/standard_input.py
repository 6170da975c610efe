"""Molecules from standard input, kept in a file for as long as the process runs.

They are read more than once: for their checksum, for their layout, for the molecules.
"""

import atexit
import os
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

from softdraw.molecules.data.kinds import open_bytes
from softdraw.molecules.errors import DataError

__all__ = ["STANDARD_INPUT", "spooled"]

STANDARD_INPUT = "-"
"""What stands for it where a file is expected."""
_SHARED = "SOFTDRAW_STANDARD_INPUT"
"""Names the file to processes that Lightning starts by the same command: they find nothing left to read."""
_LOOKED_AT = 1 << 16


@cache
def spooled() -> Path:
    """The file that holds what came from standard input; its suffix says how it is read.

    It is a list of SMILES (with a heading that says so, a table too) unless it begins as an SD file or as a
    ``.zip`` does, and may be packed as any file.

    Raises:
        DataError: standard input is a terminal, or holds nothing.
    """
    shared = os.environ.get(_SHARED)
    if shared and os.environ.get("LOCAL_RANK", "0") != "0":
        return Path(shared)
    if sys.stdin is None or sys.stdin.isatty():
        raise DataError(
            "standard input: is a terminal, expected molecules from a file or another program, as in "
            "softdraw molecules run --data - < mine.smi"
        )
    descriptor, name = tempfile.mkstemp(prefix="softdraw-", suffix=".smi")
    file = Path(name)
    atexit.register(file.unlink, missing_ok=True)
    with os.fdopen(descriptor, "wb") as spool:
        shutil.copyfileobj(sys.stdin.buffer, spool)
    if not file.stat().st_size:
        raise DataError(
            "standard input: is empty, expected molecules; to go on with a run, give it the same ones again"
        )
    suffix = _suffix(file)
    if suffix != file.suffix:
        file = file.rename(file.with_suffix(suffix))
        atexit.register(file.unlink, missing_ok=True)
    os.environ[_SHARED] = str(file)
    return file


def _suffix(file: Path) -> str:
    with file.open("rb") as raw:
        if raw.read(4) == b"PK\3\4":
            return ".zip"
    try:
        with open_bytes(file) as content:
            beginning = content.read(_LOOKED_AT)
    except (OSError, EOFError):
        return ".smi"  # it is told where it is read
    return ".sdf" if b"M  END" in beginning or b"$$$$" in beginning else ".smi"
