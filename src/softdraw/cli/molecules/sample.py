"""The command that draws molecules from a model in a folder."""

from pathlib import Path
from typing import Annotated

import typer

from softdraw.cli import options as o
from softdraw.cli.molecules.models import STAGES, generator_in

__all__ = ["sample"]


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
    text = "".join(f"{one}\n" for one in generator_in(folder, stage).sample(count, key=Key(key), mask=mask))
    if out is None:
        typer.echo(text, nl=False)
    else:
        write_text(out, text)


def _keep(out: Path | None, overwrite: bool) -> None:
    from softdraw.molecules.errors import OutputError

    if out is not None and out.exists() and not overwrite:
        raise OutputError(f"{out}: exists already; replace it with --overwrite")
