"""Options that several commands share, and how their text is read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from softdraw.molecules.chemistry.properties import PROPERTIES
from softdraw.molecules.runtime.budget import FEWEST_CALLS

__all__ = [
    "Calls",
    "Combine",
    "Data",
    "Devices",
    "Elements",
    "Encoding",
    "Estimator",
    "Fcd",
    "Folder",
    "Forbid",
    "Fragments",
    "KeepScaffold",
    "MaxAtoms",
    "Minutes",
    "Model",
    "Network",
    "Out",
    "Overwrite",
    "Require",
    "Result",
    "Resume",
    "Samples",
    "Scaffold",
    "Seed",
    "SmilesColumn",
    "Stage",
    "Start",
    "Steps",
    "Strategy",
    "Targets",
    "Workers",
    "as_usage",
    "check_reading",
    "check_stage",
    "elements_of",
]

Data = Annotated[
    str,
    typer.Option(
        help="Molecules to learn from: a .smi, .txt, .csv, .tsv or .sdf file (packed, too), - for standard "
        "input, 'chemicals' or 'qm9'.",
        show_default="the compounds of the package chemicals",
    ),
]
SmilesColumn = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|NUMBER",
        help="The column of SMILES in a file with several, by its heading or its number from 1.",
        show_default="found by its heading or its content",
    ),
]
Encoding = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="The encoding of the text of a file, as Python names it, such as cp1252.",
        show_default="found by its content",
    ),
]
Fragments = Annotated[
    str,
    typer.Option(
        metavar="drop|largest",
        help="What becomes of molecules of several fragments, such as salts: left out, or the largest kept.",
    ),
]
Elements = Annotated[
    str | None,
    typer.Option(help="Elements allowed, such as C,N,O.", metavar="SYMBOLS", show_default="by the data"),
]
MaxAtoms = Annotated[
    int | None,
    typer.Option(
        min=1, max=255, help="Heavy atoms of the largest molecule allowed.", show_default="by the data"
    ),
]
Start = Annotated[
    str | None,
    typer.Option(
        "--from",
        metavar="druglike|FOLDER",
        help="Go on from the weights of a shipped prior, or of an earlier run: new atom types are added.",
        show_default="begin anew",
    ),
]
Network = Annotated[
    str | None,
    typer.Option(
        metavar="small|medium|large",
        help="Size of the network.",
        show_default="by molecules, atoms and minutes",
    ),
]
Minutes = Annotated[float | None, typer.Option(help="Wall time to train for.", metavar="MINUTES")]
Steps = Annotated[
    int | None, typer.Option(min=1, help="Training steps instead of minutes: the same seed, the same result.")
]
Calls = Annotated[
    int | None,
    typer.Option(
        min=FEWEST_CALLS,
        metavar="N",
        help="Evaluations instead of minutes: molecules whose properties are computed, each once.",
    ),
]
Workers = Annotated[
    int, typer.Option(min=1, metavar="N", help="Processes that compute properties of your own.")
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="PROPERTY=GOAL[@WEIGHT]",
        help=f"What to steer to: {', '.join(PROPERTIES)} or module:function; a value, max, min, a range "
        "(1..3, ..3, 1..), 'step(0.6)', 'step(<500)' or 'sigmoid(0.6,0.1)'. Repeatable.",
        show_default="logP 1.5 standard deviations above the data",
    ),
]
Combine = Annotated[
    str,
    typer.Option(
        metavar="sum|product",
        help="How several targets are put together: distances added up, or desirabilities multiplied, so "
        "that none may be missed.",
    ),
]
Estimator = Annotated[
    str,
    typer.Option(
        help="How the steering learns: log-variance or reinforce, which ask RDKit alone, or a gradient "
        "estimator that goes through a network of the property.",
    ),
]
Samples = Annotated[int, typer.Option(min=2, help="Molecules in each draw.")]
Seed = Annotated[int, typer.Option(help="Of everything random.")]
Fcd = Annotated[bool, typer.Option(help="Compute the Fréchet ChemNet distance, the slowest score.")]
Devices = Annotated[int, typer.Option(min=1, help="Processes that fit together.")]
Strategy = Annotated[str, typer.Option(help="How they do, as Lightning names it, such as ddp.")]
Out = Annotated[Path, typer.Option(help="Folder of the run.", metavar="FOLDER")]
Resume = Annotated[bool, typer.Option("--resume", help="Go on with the run in the folder.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace what an earlier run left in the folder.")
]
Folder = Annotated[Path, typer.Argument(help="Folder of a run.", metavar="FOLDER")]
Model = Annotated[
    Path,
    typer.Argument(
        help="Folder of a run or of a saved generator, or a shipped prior: druglike.", metavar="FOLDER"
    ),
]
STAGES = ("fitted", "steered")
Stage = Annotated[
    str | None,
    typer.Option(metavar="fitted|steered", help="Which model.", show_default="steered if there is one"),
]
Result = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write here instead of to the terminal; gzipped if it ends with .gz."),
]


Forbid = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE|NAME",
        help="Patterns that no molecule may hold: a file of SMARTS, or a name such as pains, brenk or moses. "
        "Repeatable.",
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FILE|NAME", help="Patterns, all of which each molecule has to hold, likewise. Repeatable."
    ),
]

Scaffold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SMILES|FILE",
        help="A part to draw on from, which every molecule keeps; [*] marks where, else anywhere. A file has "
        "one a line; several take turns. Repeatable.",
    ),
]

KeepScaffold = Annotated[
    list[str] | None,
    typer.Option(
        metavar="SMILES|FILE",
        help="Steer molecules that are drawn on from this part and keep it, as sample --scaffold does. "
        "Repeatable.",
    ),
]


def elements_of(text: str | None) -> tuple[str, ...] | None:
    """Symbols separated by commas or blanks.

    Raises:
        typer.BadParameter: there is none.

    Example:
        >>> elements_of("C, N,O"), elements_of(None)
        (('C', 'N', 'O'), None)
    """
    if text is None:
        return None
    symbols = tuple(text.replace(",", " ").split())
    if not symbols:
        raise typer.BadParameter(f"--elements: got {text!r}, expected symbols such as C,N,O")
    return symbols


def check_stage(stage: str | None) -> None:
    """Refuse what names no model of a run.

    Raises:
        typer.BadParameter: the stage is neither ``"fitted"`` nor ``"steered"``.
    """
    if stage is not None and stage not in STAGES:
        raise typer.BadParameter(f"--stage: got {stage!r}, expected fitted or steered")


def check_reading(encoding: str | None, fragments: str) -> None:
    """Refuse what names no encoding, or no way with several fragments.

    Raises:
        typer.BadParameter: it is neither.
    """
    from softdraw.molecules.data.encoding import text_encoding
    from softdraw.molecules.data.filters import read_fragments

    with as_usage():
        if encoding is not None:
            text_encoding(encoding)
        read_fragments("--fragments", fragments)


@contextmanager
def as_usage() -> Iterator[None]:
    """Show a ``ValueError`` of the body as a mistake in the command: exit code 2, and how to get help.

    Raises:
        typer.BadParameter: the body raised ``ValueError``.
    """
    try:
        yield
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
