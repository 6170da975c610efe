"""Runs that begin with a fitted model: one of an earlier run, or a prior that the package brings along."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from softdraw.molecules.errors import DataError
from softdraw.molecules.priors.shipped import prior_names
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.run.run import Run
from softdraw.molecules.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["adopt_prior", "start_of"]


def start_of(name: str) -> "MoleculeGenerator":
    """The fitted generator of a prior, of a run's folder or of a saved generator.

    Raises:
        DataError: there is no such folder.
        CheckpointError: it holds no fitted model, or a damaged one.
    """
    from softdraw.molecules.generator import MoleculeGenerator

    folder = Path(name)
    if not folder.is_dir():
        if name in prior_names():
            return MoleculeGenerator.load(name)
        raise DataError(f"{name}: no such folder; expected that of a run, or {' or '.join(prior_names())}")
    return MoleculeGenerator.load(RunFolder(folder).fitted if (folder / "config.json").exists() else folder)


def adopt_prior(name: str, folder: str | os.PathLike[str] | RunFolder, *, overwrite: bool = False) -> None:
    """Make the folder of a run whose fitted model is a prior.

    Args:
        name: of the prior.
        folder: of the run.
        overwrite: replace a run that lies there.

    Raises:
        OutputError: the folder holds a run, or cannot be written.
        CheckpointError: the prior is damaged.
    """
    place = folder if isinstance(folder, RunFolder) else RunFolder(folder)
    generator = start_of(name)
    options = RunOptions(data=name, steps=int(generator.fit_summary["steps"]))
    place.claim(resume=False, overwrite=overwrite)
    Run(place, options).write_config()
    place.update_stage("fit", options.fit_stage(name), complete=False)
    generator.save(place.fitted)
    place.update_metrics(fit=generator.fit_summary, data=generator.dataset_summary)
    place.update_history(fit=generator.fit_history)
    place.update_stage("fit", options.fit_stage(name), complete=True)
