"""The command that scores a file of molecules."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import generator_in

if TYPE_CHECKING:
    from softdraw.molecules.scoring.molecule_sets import MoleculeSet

__all__ = ["score"]


def score(
    # text, not a Path: that would take a slash out of an address
    file: Annotated[
        str, typer.Argument(help="SMILES to score; a blank line is an invalid one.", metavar="FILE")
    ],
    run: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Compare with the training and held-out data of this run."),
    ] = None,
    train: Annotated[
        str | None, typer.Option(metavar="DATA", help="What the molecules were learned from.")
    ] = None,
    whole: Annotated[
        str | None, typer.Option(metavar="DATA", help="The whole data set: what is in it is not new.")
    ] = None,
    reference: Annotated[
        str | None, typer.Option(metavar="DATA", help="Held-out molecules, to compare distributions with.")
    ] = None,
    smiles_column: Annotated[
        str | None,
        typer.Option(
            metavar="NAME|NUMBER",
            help="The column of SMILES, by its heading or its number from 1, in every file here that has it.",
            show_default="found by its heading or its content",
        ),
    ] = None,
    fcd: o.Fcd = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score any file of SMILES; data are files, 'chemicals' or 'qm9'.

    What was read, and what of it is no molecule, is said on the error stream.
    """
    from softdraw.molecules.scoring.scores import score as score_samples
    from softdraw.molecules.scoring.table import ROWS, written

    if run is not None and (train is not None or reference is not None):
        raise typer.BadParameter(
            "--run: brings its own training and held-out data; leave --train, --reference out"
        )
    sources = {"samples": file, "train": train, "whole": whole, "reference": reference}
    sets = _read({name: source for name, source in sources.items() if source is not None}, smiles_column)
    known: dict[str, Any] = {name: entry.canonical for name, entry in sets.items() if name != "samples"}
    if run is not None:
        known |= _known_to(run)
    samples = sets["samples"].smiles
    scores = score_samples(samples, fcd=fcd, **{"train": [], **known}).to_dict()
    if not known.get("train"):
        # nothing to be new against
        scores |= dict.fromkeys(("novelty_train", "valid_unique_novel_train"))
        scores["valid_unique_novel"] = scores["valid_unique_novel_whole"]
    if as_json:
        typer.echo(json.dumps(scores, indent=1))
        return
    arrows = {"higher": "higher is better", "lower": "lower is better"}
    for row in ROWS:
        if scores.get(row.name) is not None:
            line = f"{row.title:26} {written(scores[row.name], row.kind):>10}  {arrows.get(row.better, '')}"
            typer.echo(line.rstrip())


def _read(sources: dict[str, str], column: str | None) -> dict[str, "MoleculeSet"]:
    """The files, each with a line about it: a warning where something in it is no molecule."""
    from softdraw.molecules.scoring.molecule_sets import read_known, read_set

    columns = _columns(sources, column)
    sets = {}
    for name, source in sources.items():
        if name == "samples":
            molecules = read_set(source, columns[name])
            _say(_sample_line(molecules))
            for line in [] if molecules.canonical else molecules.advice:
                _say(f"warning:{line.removeprefix(' ')}")
        else:
            molecules = read_known(name, source, columns[name], least=2 if name == "reference" else 1)
            _say(f"{'warning: ' if molecules.account.lost else ''}{name}: {molecules.account}")
        sets[name] = molecules
    return sets


def _columns(sources: dict[str, str], column: str | None) -> dict[str, str | None]:
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


def _known_to(run: Path) -> dict[str, Any]:
    """The data of a run; without a reference where too few molecules were held out."""
    generator = generator_in(run, "fitted")
    train, heldout = generator.train_smiles, generator.heldout_smiles
    _say(f"run: {run}: {len(train):,} training and {len(heldout):,} held-out molecules")
    if len(heldout) < 2:
        _say("warning: run: too few molecules were held out to compare distributions with")
        return {"train": train}
    return {"train": train, "reference": heldout}


def _say(line: str) -> None:
    typer.echo(line, err=True)
