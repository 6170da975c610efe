"""Commands that read a run or a file of molecules: sample, score, report."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softdraw.cli import options as o

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["report", "sample", "score"]

STAGES = ("fitted", "steered")


def sample(
    folder: Annotated[
        Path, typer.Argument(help="Folder of a run, or of a saved generator.", metavar="FOLDER")
    ],
    count: Annotated[int, typer.Option("--count", "-n", min=1, help="How many molecules.")] = 1000,
    mask: Annotated[bool, typer.Option(help="Allow only choices that end in a molecule.")] = True,
    key: Annotated[int, typer.Option("--key", "--seed", help="The same key, the same molecules.")] = 0,
    stage: Annotated[
        str | None,
        typer.Option(metavar="fitted|steered", help="Which model.", show_default="steered if there is one"),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write here instead of to the terminal.")
    ] = None,
    overwrite: o.Overwrite = False,
) -> None:
    """Draw molecules, one SMILES a line; an empty line is a graph that is no molecule."""
    from softdraw.molecules.storage.atomic import write_text
    from softdraw.random import Key

    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"--stage: got {stage!r}, expected fitted or steered")
    _keep(out, overwrite)
    text = "".join(f"{one}\n" for one in _generator(folder, stage).sample(count, key=Key(key), mask=mask))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)


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
        generator = _generator(run, "fitted")
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


def report(folder: o.Folder) -> None:
    """Make report.html again from what lies in the folder of a run."""
    from softdraw.molecules.report import write_report
    from softdraw.molecules.storage.run_folder import RunFolder

    typer.echo(f"report: {write_report(RunFolder(folder))}")


def _generator(folder: Path, stage: str | None) -> "MoleculeGenerator":
    from softdraw.molecules.errors import CheckpointError, DataError
    from softdraw.molecules.generator import MoleculeGenerator
    from softdraw.molecules.storage.run_folder import RunFolder

    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; expected the folder of a run")
    run = RunFolder(folder)
    if not (folder / "config.json").exists():
        return MoleculeGenerator.load(folder)
    run.require()
    models = {"fitted": run.fitted, "steered": run.steered}
    if stage is None:
        stage = "steered" if run.steered.is_dir() else "fitted"
    if not models[stage].is_dir():
        raise CheckpointError(f"{folder}: holds no {stage} model yet")
    return MoleculeGenerator.load(models[stage])


def _molecules(source: str | None) -> Sequence[str] | None:
    """All SMILES of a source, as they stand there."""
    if source is None:
        return None
    from softdraw.molecules.data.sources import open_source

    return [smiles for _, smiles in open_source(source).rows() if smiles]


def _keep(out: Path | None, overwrite: bool) -> None:
    from softdraw.molecules.errors import OutputError

    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out}: exists already; replace it with --overwrite")
