"""A whole run: fit, steer, draw, score, report, each written to the run's folder as soon as it is there."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from softdraw.molecules.data.dataset import Dataset, load
from softdraw.molecules.data.sources import open_source
from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.run.measuring import measure, summary_lines, write_measurements
from softdraw.molecules.run.options import RunOptions
from softdraw.molecules.runtime.versions import versions
from softdraw.molecules.steering.targets import targets_from
from softdraw.molecules.storage.run_folder import RunFolder

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["Run", "is_worker"]

Say = Callable[[str], None]


class Run:
    """The stages of a run in one folder; each can be left, and taken up again by another process.

    Args:
        folder: where everything goes.
        options: what to do.
        say: called with a line of text at every stage.
        progress: whether ``fit`` and ``steer`` show a bar; None on a terminal only.

    Example:
        >>> from softdraw.molecules.run.options import RunOptions
        >>> run = Run("runs/first", RunOptions(minutes=5), say=print)
        >>> run.interrupted
        False
    """

    def __init__(
        self,
        folder: RunFolder | str | os.PathLike[str],
        options: RunOptions,
        *,
        say: Say = lambda line: None,
        progress: bool | None = None,
    ) -> None:
        self.folder = folder if isinstance(folder, RunFolder) else RunFolder(folder)
        self.options, self.say, self.progress = options, say, progress
        self.interrupted = False
        self.seconds: dict[str, float] = {}
        self._resume = False
        self._digest = ""
        self._data: Dataset | None = None

    def everything(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Fit, steer, draw, score and report. After a Ctrl-C, without further training.

        Args:
            resume: go on with what is in the folder; what is complete is not done again.
            overwrite: remove what an earlier run left in the folder.

        Raises:
            MoleculeError: the data cannot be used, the folder cannot be written, or holds another run.
        """
        self.open(resume=resume, overwrite=overwrite)
        generator = self.fit()
        if is_worker():
            return
        steered = None if self.interrupted else self.steer(generator)
        self.measure(generator, steered)
        self.report()

    def steering(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Steer the fitted model of the folder, draw, score and report.

        Args:
            resume: go on with an interrupted steering.
            overwrite: replace an earlier steering.

        Raises:
            MoleculeError: the folder holds no fitted model, or holds a steered one already.
        """
        folder = self.folder
        folder.require()
        before = folder.stages
        self._digest = before.get("fit", {}).get("options", {}).get("data", "")
        self._resume = resume
        if not folder.fitted.is_dir():
            raise CheckpointError(f"{folder.path}: holds no fitted model yet; first softdraw molecules fit")
        if "steer" in before and not (resume or overwrite):
            raise OutputError(
                f"{folder.path}: already holds a steered model; go on with --resume, or replace it with "
                "--overwrite"
            )
        self._write_config()
        generator = self._load(folder.fitted)
        steered = self.steer(generator)
        self.measure(generator, steered)
        self.report()

    # -- stages ------------------------------------------------------------------------------------------

    def open(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Look at the data first, so that a mistake in it costs no earlier result; then make the folder.

        Raises:
            MoleculeError: as ``everything``.
        """
        self._digest = open_source(self.options.data, self.options.smiles_column).digest
        self._resume = resume and bool(self.folder.occupied)
        if is_worker():
            return
        if self._resume:
            self.folder.require()
            stored = self.folder.stages.get("fit", {}).get("options", {})
            self.options.check_same_model(stored, self._digest, self.folder.path)
        else:
            self._read()
        self.folder.claim(resume=self._resume, overwrite=overwrite)
        self._write_config()

    def fit(self) -> "MoleculeGenerator":
        """Fit, or take the fitted model of the folder when it is complete.

        Returns:
            The fitted generator.
        """
        from softdraw.molecules.generator import MoleculeGenerator

        options, folder = self.options, self.folder
        stage = options.fit_stage(self._digest)
        if self._resume and folder.stages.get("fit") == {"options": stage, "complete": True}:
            self.say("fit: complete, taken from the folder; --overwrite begins again")
            return self._load(folder.fitted)
        resume = self._resume and "fit" in folder.stages
        if not is_worker():
            folder.update_stage("fit", stage, complete=False)
            # a steered model stands on the fit before it
            folder.forget_stage("steer")
            folder.update_metrics(steer=None)
            folder.update_history(steer=None)
            self.say(f"fit: {_budget(options.fit_budget)} on {options.data}")
            self.say(f"data: {self._read().summary()}")
        with self._clock("fit"):
            generator = MoleculeGenerator(seed=options.seed).fit(
                options.data,
                **options.fit_budget,
                elements=options.elements,
                max_atoms=options.max_atoms,
                smiles_column=options.smiles_column,
                folder=folder.fit_checkpoints,
                resume=resume,
                devices=options.devices,
                strategy=options.strategy,
                progress=self.progress,
            )
        if is_worker():
            return generator
        summary = generator.fit_summary
        generator.save(folder.fitted)
        folder.update_metrics(fit=summary, data=generator.dataset_summary)
        folder.update_history(fit=generator.fit_history)
        self.interrupted = bool(summary.get("interrupted"))
        folder.update_stage("fit", stage, complete=not self.interrupted)
        self.say(_fit_line(summary))
        return generator

    def steer(self, generator: "MoleculeGenerator") -> "MoleculeGenerator":
        """Steer a copy of the fitted model, or take the steered one of the folder when it is complete.

        Returns:
            The steered generator; ``generator`` stays as it is.
        """
        options, folder = self.options, self.folder
        stage = options.steer_stage(self._digest)
        before = folder.stages.get("steer", {})
        if self._resume and before == {"options": stage, "complete": True}:
            self.say("steer: complete, taken from the folder")
            return self._load(folder.steered)
        resume = self._resume and _same_but_budget(before.get("options"), stage)
        folder.update_stage("steer", stage, complete=False)
        steered = self._load(folder.fitted)
        self.say(
            f"steer: {_budget(options.steer_budget)} to {' '.join(options.targets) or 'the default target'}"
        )
        with self._clock("steer"):
            steered.steer(
                targets_from(options.targets) if options.targets else None,
                **options.steer_budget,
                estimator=options.estimator,
                folder=folder.steer_checkpoints,
                resume=resume,
                progress=self.progress,
            )
        summary = steered.steer_summary
        steered.save(folder.steered)
        folder.update_metrics(steer=summary)
        folder.update_history(steer=steered.steer_history)
        self.interrupted = bool(summary.get("interrupted"))
        folder.update_stage("steer", stage, complete=not self.interrupted)
        return steered

    def measure(self, fitted: "MoleculeGenerator", steered: "MoleculeGenerator | None") -> None:
        """Draw from the models, score the draws, and write molecules and figures to the folder."""
        draws = 2 if steered is None else 3  # fitted with and without mask, steered with mask
        self.say(f"draw and score: {draws} x {self.options.samples} molecules")
        with self._clock("measure"):
            found = measure(
                fitted,
                steered,
                count=self.options.samples,
                seed=self.options.seed,
                fcd=self.options.fcd and not self.interrupted,
            )
            write_measurements(self.folder, found)
        for line in summary_lines(self.folder.metrics):
            self.say(line)

    def report(self) -> None:
        """Write the report."""
        from softdraw.molecules.report import write_report

        with self._clock("report"):
            self.folder.update_metrics(
                seconds={name: round(value, 2) for name, value in self.seconds.items()}
            )
            path = write_report(self.folder)
        self.say(f"report: {path}")

    # -- the rest ----------------------------------------------------------------------------------------

    def _write_config(self) -> None:
        options = self.options
        self.folder.write_config(
            {"options": options.to_dict(), "command": options.command, "versions": versions()}
        )

    def _read(self) -> Dataset:
        """The molecules, read when they are first needed."""
        if self._data is None:
            options = self.options
            self._data = load(
                options.data,
                elements=options.elements,
                max_atoms=options.max_atoms,
                smiles_column=options.smiles_column,
            )
        return self._data

    def _load(self, place: Path) -> "MoleculeGenerator":
        from softdraw.molecules.generator import MoleculeGenerator

        return MoleculeGenerator.load(place)

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = time.monotonic() - began


def is_worker() -> bool:
    """Whether this process was started by another to help it fit: only the first one writes and reports."""
    names = ("LOCAL_RANK", "RANK", "NODE_RANK", "GROUP_RANK", "SLURM_PROCID")
    return any(os.environ.get(name, "0") not in ("", "0") for name in names)


def _same_but_budget(before: Any, now: dict[str, Any]) -> bool:
    if not isinstance(before, dict):
        return False
    budget = ("minutes", "steps")
    return {k: v for k, v in before.items() if k not in budget} == {
        k: v for k, v in now.items() if k not in budget
    }


def _budget(budget: dict[str, Any]) -> str:
    if "steps" in budget:
        return f"{budget['steps']} steps"
    minutes = budget["minutes"]
    return f"{minutes:.3g} minutes" if minutes >= 1 else f"{60 * minutes:.3g} seconds"


def _fit_line(summary: dict[str, Any]) -> str:
    line = (
        f"fit: {summary['steps']} steps, {summary['epochs']:.1f} epochs, {summary['seconds']:.0f} s, "
        f"validation loss {_number(summary.get('validation_loss'))} nats a molecule"
    )
    if summary.get("under_trained"):
        line += "; under-trained: a longer --minutes with --resume goes on from here"
    return line


def _number(value: Any) -> str:
    return f"{value:.2f}" if isinstance(value, int | float) else "unknown"
