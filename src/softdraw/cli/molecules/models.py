"""The model that a command is about."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["generator_in"]


def generator_in(folder: Path, stage: str | None) -> "MoleculeGenerator":
    """``generator_of`` of a folder or a prior; what it remarks on is said on the error stream."""
    from softdraw.molecules.run.starts import generator_of

    return generator_of(folder, stage, lambda line: typer.echo(line, err=True))
