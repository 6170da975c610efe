"""Fitted models by name: of a run, of a saved generator, or a prior that the package brings along."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from softdraw.molecules.errors import CheckpointError, DataError, OptionError, OutputError
from softdraw.molecules.model.sizes import size_of
from softdraw.molecules.priors.shipped import prior_names, read_prior
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator
    from softdraw.molecules.run.run import Run

__all__ = ["adopt_model", "generator_of", "is_prior", "model_options", "prior_options", "start_of"]


def is_prior(name: str | os.PathLike[str]) -> bool:
    """Whether this is a prior; a folder of its name comes first.

    Example:
        >>> is_prior("druglike"), is_prior("runs/molecules")
        (True, False)
    """
    return os.fspath(name) in prior_names() and not Path(name).is_dir()


def generator_of(
    name: str | os.PathLike[str], stage: str | None = None, say: Callable[[str], object] = lambda line: None
) -> "MoleculeGenerator":
    """The generator of a run's folder, of a saved generator or of a prior.

    Args:
        name: of the folder, or of the prior.
        stage: of a run, ``"fitted"`` or ``"steered"``; None takes the steered model if there is one.
        say: is told where that is the fitted one because steering has not ended.

    Raises:
        DataError: there is no such folder.
        CheckpointError: it holds no such model, or a damaged one.
    """
    from softdraw.molecules.generator import MoleculeGenerator

    folder = Path(name)
    if not folder.is_dir() and not is_prior(name):
        raise DataError(
            f"{folder}: no such folder; expected the folder of a run, or {' or '.join(prior_names())}"
        )
    if not (folder / "config.json").exists():
        return MoleculeGenerator.load(name)
    run = RunFolder(folder)
    if stage is None:
        stage = "steered" if run.steered.is_dir() else "fitted"
        if stage == "fitted" and "steer" in run.stages:
            say(f"{folder}: its steering has not ended; this is the fitted model")
    model = {"fitted": run.fitted, "steered": run.steered}[stage]
    if not model.is_dir():
        raise CheckpointError(f"{folder}: holds no {stage} model yet")
    return MoleculeGenerator.load(model)


def start_of(options: RunOptions) -> "MoleculeGenerator | None":
    """The fitted generator whose weights a fit goes on from; None where it begins anew.

    Raises:
        DataError: there is no such folder.
        CheckpointError: it holds no fitted model, or a damaged one.
        OptionError: a network of another size is asked for.
    """
    if options.start is None:
        return None
    found, asked = generator_of(options.start, "fitted"), size_of(options.network, {})
    if asked not in (None, found.options):
        raise OptionError(
            f"--network: got {options.network}, expected none: --from {options.start} brings its own"
        )
    return found


def prior_options(name: str) -> RunOptions:
    """Options of a run whose fitted model is a prior.

    Raises:
        CheckpointError: the prior is damaged.
    """
    return RunOptions(data=name, steps=int(read_prior(name).fit_summary["steps"]))


def model_options(name: str | os.PathLike[str]) -> RunOptions:
    """Options of a run in a folder of its own whose fitted model is a prior, or that of another folder.

    Raises:
        DataError: there is no such folder.
        CheckpointError: it holds no fitted model, or the prior is damaged.
    """
    if is_prior(name):
        return prior_options(os.fspath(name))
    folder = Path(name)
    if not folder.is_dir():
        raise DataError(
            f"{folder}: no such folder; expected the folder of a run, or {' or '.join(prior_names())}"
        )
    run = RunFolder(folder)
    if (folder / "config.json").exists() and not run.fitted.is_dir():
        raise CheckpointError(f"{folder}: holds no fitted model yet")
    steps = (run.metrics.get("fit") or {}).get("steps")
    return RunOptions(data=str(folder.resolve()), steps=int(steps or 1))


def adopt_model(run: "Run", *, resume: bool = False, overwrite: bool = False) -> None:
    """Make a prior, or the fitted model of another folder, that of a run whose options name it as their data.

    All that can be wrong is found before anything is made or replaced.

    Args:
        run: with options from ``model_options``, and targets.
        resume: go on with an adoption that was cut off; nothing is done where it is complete.
        overwrite: replace a run that lies in the folder.

    Raises:
        OutputError: the folder holds another run, or cannot be written.
        CheckpointError: the prior or the model is damaged.
        TargetError: a target cannot work.
    """
    options, folder = run.options, run.folder
    stage = options.fit_stage(options.data)
    resume = resume and bool(folder.occupied)
    if resume:
        before = folder.stages.get("fit", {})
        if not before:
            raise OutputError(
                f"{folder.path}: holds no {options.data} to go on with; start again with --overwrite, or "
                "choose another folder with --out"
            )
        options.check_same_model(before["options"], options.data, folder.path)
        if before == {"options": stage, "complete": True}:
            return
    folder.refuse_occupied(resume=resume, overwrite=overwrite)
    generator = generator_of(options.data, "fitted")
    run.try_targets(generator.train_smiles)
    folder.claim(resume=resume, overwrite=overwrite)
    folder.forget_steering()
    folder.update_stage("fit", stage, complete=False)
    run.write_config()
    generator.save(folder.fitted)
    folder.update_metrics(fit={**generator.fit_summary, "adopted": True}, data=generator.dataset_summary)
    folder.update_history(fit=generator.fit_history)
    folder.update_stage("fit", stage, complete=True)
