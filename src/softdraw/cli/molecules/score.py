"""The command that scores a file of molecules."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.score_moses import moses_table
from softdraw.cli.molecules.score_sets import Ways, known_to, muted, read_sets, ways_of

if TYPE_CHECKING:
    from torch.distributed import ProcessGroup

    from softdraw.molecules.scoring.table import Row

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
    encoding: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The encoding of the text of every file here, as Python names it, such as cp1252.",
            show_default="found by its content",
        ),
    ] = None,
    fragments: Annotated[
        str,
        typer.Option(
            metavar="drop|largest",
            help="What becomes of molecules of several fragments in the data: left out, or the largest kept. "
            "A sample of several is invalid.",
        ),
    ] = "drop",
    fcd: o.Fcd = True,
    preset: Annotated[
        str | None,
        typer.Option(metavar="moses", help="Other scores: moses, as in its published tables."),
    ] = None,
    scaffold_reference: Annotated[
        str | None, typer.Option(metavar="DATA", help="The scaffold test set of MOSES, for --preset moses.")
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that share the work; the scores are those of one.",
            show_default="1; with --preset moses one for each core",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score any file of SMILES; data are files, 'chemicals' or 'qm9'.

    What was read, and what of it is no molecule, is said on the error stream. Processes that torchrun starts
    share the work, and the first one tells.
    """
    from softdraw.molecules.runtime.processes import launched_group
    from softdraw.molecules.runtime.team import Team, cores
    from softdraw.molecules.scoring.table import MOSES_ROWS, ROWS

    if run is not None and (train is not None or reference is not None):
        raise typer.BadParameter(
            "--run: brings its own training and held-out data; leave --train, --reference out"
        )
    if preset not in (None, "moses"):
        raise typer.BadParameter(f"--preset: got {preset!r}, expected moses")
    if preset is None and scaffold_reference is not None:
        raise typer.BadParameter("--scaffold-reference: belongs to --preset moses")
    if preset is not None and whole is not None:
        raise typer.BadParameter("--whole: MOSES knows the training set only; leave it out, or --preset")
    o.check_reading(encoding, fragments)
    if preset is not None and fragments != "drop":
        raise typer.BadParameter("--fragments: MOSES takes molecules as they are; leave it out, or --preset")
    given = {"train": train, "whole": whole, "reference": reference, "scaffold_reference": scaffold_reference}
    sources = {"samples": file, **{name: source for name, source in given.items() if source is not None}}
    with launched_group() as group:
        if group is not None and devices is not None:
            raise typer.BadParameter(f"--devices: got {devices} in a process of torchrun, expected none")
        with nullcontext() if group is None or group.rank() == 0 else muted():
            known = {} if run is None else known_to(run)
            ways = ways_of(sources, smiles_column, encoding)
            if preset is None:
                scores = _scores(sources, ways, fragments, known, fcd, devices or 1, group)
            else:
                team = Team(cores() if devices is None else devices, group)
                scores = moses_table(sources, ways, known, fcd=fcd, team=team)
            _print(MOSES_ROWS if preset else ROWS, scores, as_json)


def _scores(
    sources: dict[str, str],
    ways: Ways,
    fragments: str,
    known: dict[str, Any],
    fcd: bool,
    devices: int,
    group: "ProcessGroup | None",
) -> dict[str, float | None]:
    from softdraw.molecules.scoring.scores import score as score_samples

    sets = read_sets(sources, ways, fragments)
    known = {**{name: entry.canonical for name, entry in sets.items() if name != "samples"}, **known}
    samples = sets["samples"].smiles
    train = known.pop("train", [])
    found = score_samples(samples, train=train, **known, fcd=fcd, devices=devices, group=group)
    scores = found.to_dict()
    if not train:
        # nothing to be new against
        scores |= dict.fromkeys(("novelty_train", "valid_unique_novel_train"))
        scores["valid_unique_novel"] = scores["valid_unique_novel_whole"]
    return scores


def _print(rows: "tuple[Row, ...]", scores: dict[str, float | None], as_json: bool) -> None:
    from softdraw.molecules.scoring.table import written

    if as_json:
        typer.echo(json.dumps(scores, indent=1))
        return
    arrows = {"higher": "higher is better", "lower": "lower is better"}
    for row in rows:
        if scores.get(row.name) is not None:
            line = f"{row.title:26} {written(scores[row.name], row.kind):>10}  {arrows.get(row.better, '')}"
            typer.echo(line.rstrip())
