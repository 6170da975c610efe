"""Where the result of a command goes: a file that is not replaced unasked, or the terminal."""

from collections.abc import Iterable
from pathlib import Path

import typer

__all__ = ["refuse_existing", "write_result"]


def refuse_existing(out: Path | None, overwrite: bool) -> None:
    """See that a result may be written, before any work.

    Raises:
        OutputError: the file is there already, and was not to be replaced.
    """
    from softdraw.molecules.errors import OutputError

    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out}: exists already; replace it with --overwrite")


def write_result(out: Path | None, pieces: Iterable[str]) -> None:
    """Write text to a file, gzipped where its name ends with ``.gz``, or to standard output.

    Raises:
        OutputError: the folder cannot be written, or the disk is full.
    """
    from softdraw.molecules.storage.atomic import write_pieces

    if out is None:
        typer.echo("".join(pieces), nl=False)
    else:
        write_pieces(out, pieces)
