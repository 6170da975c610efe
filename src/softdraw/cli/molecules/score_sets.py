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

__all__ = ["columns_of", "known_to", "muted", "read_sets", "say"]


def read_sets(sources: dict[str, str], columns: dict[str, str | None]) -> dict[str, "MoleculeSet"]:
    """The files, each with a line about it: a warning where something in it is no molecule."""
    from softdraw.molecules.scoring.molecule_sets import read_known, read_set

    sets = {}
    for name, source in sources.items():
        if name == "samples":
            molecules = read_set(source, columns[name])
            say(_sample_line(molecules))
            for line in [] if molecules.canonical else molecules.advice:
                say(f"warning:{line.removeprefix(' ')}")
        else:
            molecules = read_known(name, source, columns[name], least=2 if name == "reference" else 1)
            say(f"{'warning: ' if molecules.account.lost else ''}{name}: {molecules.account}")
        sets[name] = molecules
    return sets


def columns_of(sources: dict[str, str], column: str | None) -> dict[str, str | None]:
    """The column for every file that has it; the others are read as if none had been named."""
    from softdraw.molecules.data.layout import ColumnError
    from softdraw.molecules.data.sources import has_column

    if column is None:
        return dict.fromkeys(sources)
    having = [name for name, source in sources.items() if has_column(source, column)]
    if not having:
        names = ", ".join(sources.values())
        raise ColumnError(f"--smiles-column: got {column!r}, expected a column of {names}")
    return {name: column if name in having else None for name in sources}


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
