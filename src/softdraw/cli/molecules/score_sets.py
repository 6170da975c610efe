"""The sets that ``softdraw molecules score`` reads, and what is said of them on the error stream."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from softdraw.cli.molecules.models import generator_in

if TYPE_CHECKING:
    from softdraw.molecules.scoring.molecule_sets import MoleculeSet

__all__ = ["Way", "Ways", "known_to", "muted", "read_sets", "say", "ways_of"]

Way = tuple[str | None, str | None]
"""The column of SMILES of a file, and its encoding, as ``open_source`` takes them."""
Ways = dict[str, Way]
"""How each set is read, by its name."""


def read_sets(sources: dict[str, str], ways: Ways, fragments: str) -> dict[str, "MoleculeSet"]:
    """The files, each with a line about it: a warning where something in it is no molecule.

    A sample of several fragments is invalid; ``fragments`` says what becomes of one in the other sets.
    """
    from softdraw.molecules.scoring.molecule_sets import read_known, read_set

    sets = {}
    for name, source in sources.items():
        if name == "samples":
            molecules = read_set(source, *ways[name])
            say(_sample_line(molecules))
            for line in [] if molecules.canonical else molecules.advice:
                say(f"warning:{line.removeprefix(' ')}")
        else:
            least = 2 if name == "reference" else 1
            molecules = read_known(name, source, *ways[name], fragments=fragments, least=least)
            say(f"{'warning: ' if molecules.account.lost else ''}{name}: {molecules.account}")
        sets[name] = molecules
    return sets


def ways_of(sources: dict[str, str], column: str | None, encoding: str | None) -> Ways:
    """The column for every file that has it, and the encoding for every file; what is no file has neither.

    Raises:
        ColumnError: no file has the column.
        OptionError: there is no file whose encoding it could be.
    """
    from softdraw.molecules.data.layout import ColumnError
    from softdraw.molecules.data.sources import has_column, is_set
    from softdraw.molecules.errors import OptionError

    names = ", ".join(sources.values())
    files = {name for name, source in sources.items() if not is_set(source)}
    if encoding is not None and not files:
        raise OptionError(f"--encoding: got {encoding!r}, expected none for {names}, which is no file")
    having = set(files)
    if column is not None:
        having = {name for name in files if has_column(sources[name], column, encoding)}
        if not having:
            raise ColumnError(f"--smiles-column: got {column!r}, expected a column of {names}")
    return {
        name: (column if name in having else None, encoding if name in files else None) for name in sources
    }


def _sample_line(molecules: "MoleculeSet") -> str:
    account = molecules.account
    line = f"samples: {account.origin}: {account.used:,} of {account.read:,} are molecules"
    return f"{line}; invalid: {account.reasons()}" if account.lost else line


def known_to(run: Path) -> dict[str, Any]:
    """The data of a run; without a reference where too few molecules were held out."""
    generator = generator_in(run, "fitted")
    train, heldout = generator.train_smiles, generator.heldout_smiles
    say(f"run: {run}: {len(train):,} training and {len(heldout):,} held-out molecules")
    if len(heldout) < 2:
        say("warning: run: too few molecules were held out to compare distributions with")
        return {"train": train}
    return {"train": train, "reference": heldout}


@contextmanager
def muted() -> Iterator[None]:
    """While open, nothing that is said is heard: another process says it."""
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        yield


def say(line: str) -> None:
    """A line for the error stream."""
    typer.echo(line, err=True)
