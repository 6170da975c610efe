"""The command that scores a file of molecules."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.score_moses import moses_table
from softdraw.cli.molecules.score_sets import columns_of, known_to, read_sets

if TYPE_CHECKING:
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
    fcd: o.Fcd = True,
    preset: Annotated[
        str | None,
        typer.Option(metavar="moses", help="Other scores: moses, as in its published tables."),
    ] = None,
    scaffold_reference: Annotated[
        str | None, typer.Option(metavar="DATA", help="The scaffold test set of MOSES, for --preset moses.")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that read molecules, for --preset moses.",
            show_default="one for each core",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score any file of SMILES; data are files, 'chemicals' or 'qm9'.

    What was read, and what of it is no molecule, is said on the error stream.
    """
    from softdraw.molecules.scoring.table import MOSES_ROWS, ROWS

    if run is not None and (train is not None or reference is not None):
        raise typer.BadParameter(
            "--run: brings its own training and held-out data; leave --train, --reference out"
        )
    if preset not in (None, "moses"):
        raise typer.BadParameter(f"--preset: got {preset!r}, expected moses")
    if preset is None and (scaffold_reference is not None or processes is not None):
        raise typer.BadParameter("--scaffold-reference, --processes: belong to --preset moses")
    if preset is not None and whole is not None:
        raise typer.BadParameter("--whole: MOSES knows the training set only; leave it out, or --preset")
    given = {"train": train, "whole": whole, "reference": reference, "scaffold_reference": scaffold_reference}
    sources = {"samples": file, **{name: source for name, source in given.items() if source is not None}}
    if preset is None:
        _print(ROWS, _scores(sources, smiles_column, run, fcd), as_json)
    else:
        known = {} if run is None else known_to(run)
        columns = columns_of(sources, smiles_column)
        _print(MOSES_ROWS, moses_table(sources, columns, known, fcd=fcd, processes=processes), as_json)


def _scores(
    sources: dict[str, str], column: str | None, run: Path | None, fcd: bool
) -> dict[str, float | None]:
    from softdraw.molecules.scoring.scores import score as score_samples

    sets = read_sets(sources, column)
    known: dict[str, Any] = {name: entry.canonical for name, entry in sets.items() if name != "samples"}
    if run is not None:
        known |= known_to(run)
    samples = sets["samples"].smiles
    scores = score_samples(samples, fcd=fcd, **{"train": [], **known}).to_dict()
    if not known.get("train"):
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
