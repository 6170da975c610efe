"""Finding a model in the folder of a run, or of a saved generator."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["generator_in"]


def generator_in(folder: Path, stage: str | None) -> "MoleculeGenerator":
    """The generator of a folder.

    Args:
        folder: of a run, or of a saved generator.
        stage: ``"fitted"`` or ``"steered"``; None takes the steered model of a run if there is one.

    Raises:
        DataError: there is no such folder.
        CheckpointError: it holds no such model, or a damaged one.
    """
    from softdraw.molecules.errors import CheckpointError, DataError
    from softdraw.molecules.generator import MoleculeGenerator
    from softdraw.molecules.priors.shipped import prior_names
    from softdraw.molecules.storage.run_folder import RunFolder

    if not folder.is_dir():
        if str(folder) in prior_names():
            return MoleculeGenerator.load(folder)
        raise DataError(
            f"{folder}: no such folder; expected the folder of a run, or {' or '.join(prior_names())}"
        )
    run = RunFolder(folder)
    if not (folder / "config.json").exists():
        return MoleculeGenerator.load(folder)
    run.require()
    models = {"fitted": run.fitted, "steered": run.steered}
    if stage is None:
        stage = "steered" if run.steered.is_dir() else "fitted"
        if stage == "fitted" and "steer" in run.stages:
            typer.echo(f"{folder}: its steering has not ended; this is the fitted model", err=True)
    if not models[stage].is_dir():
        raise CheckpointError(f"{folder}: holds no {stage} model yet")
    return MoleculeGenerator.load(models[stage])
