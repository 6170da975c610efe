"""The command that scores a file of molecules."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import generator_in

__all__ = ["score"]


def score(
    file: Annotated[
        Path, typer.Argument(help="SMILES to score; a blank line is an invalid one.", metavar="FILE")
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
    fcd: o.Fcd = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score any file of SMILES; data are files, 'chemicals' or 'qm9'."""
    from softdraw.molecules.scoring.scores import score_file
    from softdraw.molecules.scoring.table import ROWS, written

    if run is not None and (train is not None or reference is not None):
        raise typer.BadParameter(
            "--run: brings its own training and held-out data; leave --train, --reference out"
        )
    known: dict[str, Any] = {"train": _molecules(train) or [], "reference": _molecules(reference)}
    if run is not None:
        generator = generator_in(run, "fitted")
        known = {"train": generator.train_smiles, "reference": generator.heldout_smiles or None}
    scores = score_file(file, whole=_molecules(whole), fcd=fcd, **known).to_dict()
    if not known["train"]:
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


def _molecules(source: str | None) -> Sequence[str] | None:
    """All SMILES of a source, as they stand there."""
    if source is None:
        return None
    from softdraw.molecules.data.sources import open_source

    return [smiles for _, smiles in open_source(source).rows() if smiles]
