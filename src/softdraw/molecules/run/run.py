"""A whole run: fit, steer, draw, score, report, each written to the run's folder as soon as it is there."""

import warnings
from typing import TYPE_CHECKING, Any

from softdraw.molecules.chemistry.scaffold import read_scaffolds
from softdraw.molecules.data.dataset import Dataset, load
from softdraw.molecules.data.sources import open_source
from softdraw.molecules.errors import CheckpointError, OutputError
from softdraw.molecules.evaluating.evaluations import read_evaluations
from softdraw.molecules.run.console import budget_text, fit_line, summary_lines
from softdraw.molecules.run.context import RunContext
from softdraw.molecules.run.measuring import measure, paid_values, write_measurements
from softdraw.molecules.run.starts import generator_of, start_of
from softdraw.molecules.runtime.remarks import MoleculeWarning, remarks_said
from softdraw.molecules.sampling.conditions import Conditions
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.molecules.steering.targets import targets_from
from softdraw.random import Key

if TYPE_CHECKING:
    from softdraw.molecules.generator import MoleculeGenerator

__all__ = ["Run"]


class Run(RunContext):
    """The stages of a run in one folder; each can be left, and taken up again by another process.

    The data is opened, hashed and encoded once: ``open`` gives the data set, ``fit`` takes it.

    Args:
        folder: where everything goes.
        options: what to do.
        say: called with a line of text at every stage, in the first process only.
        progress: whether ``fit`` and ``steer`` show a bar; None on a terminal only.
        command: that repeats the run; by default ``softdraw molecules run`` with the options.

    Example:
        >>> from softdraw.molecules.run.options import RunOptions
        >>> run = Run("runs/first", RunOptions(minutes=5), say=print)
        >>> run.interrupted
        False
    """

    _resume = False
    _digest = ""
    _dataset: Dataset | None = None
    _start: "MoleculeGenerator | None" = None

    def everything(self, *, resume: bool = False, overwrite: bool = False) -> None:
        """Fit, steer, draw, score and report. After a Ctrl-C, without further training.

        Args:
            resume: go on with what is in the folder; what is complete is not done again.
            overwrite: remove what an earlier run left in the folder.

        Raises:
            MoleculeError: the data or a target cannot be used, the folder cannot be written, or holds another
                run.
        """
        generator = self.fit(self.open(resume=resume, overwrite=overwrite))
        if self.worker:
            return
        steered = None if self.interrupted else self.steer(generator)
        self.measure(generator, steered)
        self.report()

    def steering(self, *, resume: bool = False, overwrite: bool = False) -> "MoleculeGenerator":
        """Steer the fitted model of the folder, draw, score and report.

        Args:
            resume: go on with an interrupted steering.
            overwrite: replace an earlier steering.

        Returns:
            The steered generator.

        Raises:
            MoleculeError: the folder holds no fitted model, or holds a steered one already, or a target
                cannot be used.
        """
        folder = self.folder
        folder.require()
        before = folder.stages
        self._digest = before.get("fit", {}).get("options", {}).get("data", "")
        self._resume_as(resume)
        if not folder.fitted.is_dir():
            raise CheckpointError(f"{folder.path}: holds no fitted model yet; first softdraw molecules fit")
        if "steer" in before and not (resume or overwrite):
            what = "a steered model" if before["steer"].get("complete") else "a steering that has not ended"
            raise OutputError(
                f"{folder.path}: already holds {what}; go on with --resume, or replace it with --overwrite"
            )
        generator = generator_of(folder.path, "fitted")
        if self.options.keep_scaffold:  # before anything is paid for
            parts = [one for given in self.options.keep_scaffold for one in read_scaffolds(given)]
            given_parts(parts, generator.network, generator.vocabulary)
        self.try_targets(generator.train_smiles)
        self.write_config()
        steered = self.steer(generator)
        self.measure(generator, steered)
        self.report()
        return steered

    # -- stages ------------------------------------------------------------------------------------------

    def open(self, *, resume: bool = False, overwrite: bool = False) -> Dataset | None:
        """Look at data, targets and start first, so that a mistake in them costs no earlier result; then make
        the folder.

        Returns:
            The data set to fit to; None where the folder holds a complete fit of it, which is then resumed.

        Raises:
            MoleculeError: as ``everything``.
        """
        options, folder = self.options, self.folder
        source = open_source(options.data, options.smiles_column, options.encoding)
        self._digest = source.digest
        self._resume_as(resume and bool(folder.occupied))
        if not self.worker:
            # before anything is paid for
            folder.refuse_occupied(resume=self._resume, overwrite=overwrite)
        if self._resume and not self.worker:
            folder.require()
            stored = folder.stages.get("fit", {}).get("options", {})
            options.check_same_model(stored, self._digest, folder.path)
        if not self._fit_is_complete:
            with remarks_said(self.say):
                self._dataset = load(
                    source,
                    elements=options.elements,
                    max_atoms=options.max_atoms,
                    fragments=options.fragments,
                    progress=False if self.worker else self.progress,
                )
            self.try_targets(self._dataset.graphs.smiles)
            self._start = start_of(options)
        if not self.worker:
            folder.claim(resume=self._resume, overwrite=overwrite)
            self.write_config()
        return self._dataset

    def fit(self, dataset: Dataset | None = None) -> "MoleculeGenerator":
        """Fit, or take the fitted model of the folder when it is complete.

        Args:
            dataset: the data set; by default what ``open`` gave.

        Returns:
            The fitted generator.

        Raises:
            RuntimeError: there is no data set and ``open`` was not called.
        """
        from softdraw.molecules.generator import MoleculeGenerator

        options, folder = self.options, self.folder
        if self._fit_is_complete:
            self.say("fit: complete, taken from the folder; --overwrite begins again")
            return generator_of(folder.path, "fitted")
        dataset = dataset or self._dataset
        if dataset is None:
            raise RuntimeError("Run.fit: got no data set, expected one, or a call of open before")
        stage = options.fit_stage(self._digest)
        resume = self._resume and "fit" in folder.stages
        if not self.worker:
            folder.forget_steering()  # a steered model stands on the fit before it
            self._keep_trial()
            folder.update_stage("fit", stage, complete=False)
        self.say(f"fit: {budget_text(options.fit_budget)} on {options.data}")
        self.say(f"data: {dataset.summary()}")
        # not held on to: it brings the molecules that it learned from
        start, self._start = self._start or start_of(options), None
        with self.clock("fit"), remarks_said(self.say):
            generator = MoleculeGenerator(seed=options.seed, network=options.network).fit(
                dataset,
                **options.fit_budget,
                folder=folder.fit_checkpoints,
                resume=resume,
                start=start,
                devices=options.devices,
                strategy=options.strategy,
                progress=self.progress,
                say=lambda line: self.say(f"fit: {line}"),
            )
        if self.worker:
            return generator
        summary = generator.fit_summary
        generator.save(folder.fitted)
        folder.update_metrics(fit=summary, data=generator.dataset_summary)
        folder.update_history(fit=generator.fit_history)
        self.interrupted = bool(summary.get("interrupted"))
        folder.update_stage("fit", stage, complete=not self.interrupted)
        self.say(fit_line(summary))
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
            return generator_of(folder.path, "steered")
        resume = self._resume and _same_apart_from_budget(before.get("options"), stage)
        if resume and ("calls" in before["options"]) != ("calls" in stage):
            kind = "in" if "calls" in before["options"] else "not in"
            raise OutputError(
                f"{folder.path}: the budget of the steering there is {kind} calls; go on with one of "
                "that kind, or begin again with --overwrite"
            )
        self.try_targets(generator.train_smiles)
        if not resume:
            if self._resume and before:
                self.say(f"steer: begins anew, with other targets or options than before{self._given_up()}")
            folder.forget_steering()  # from here on it would be taken for what is asked for now
        folder.update_stage("steer", stage, complete=False)
        if self.trial is not None and resume:
            with remarks_said(self.say):
                read_evaluations(folder.steer_checkpoints)
        self._keep_trial()
        steered = generator_of(folder.path, "fitted")
        aim = " ".join(options.targets) or "the default target"
        self.say(f"steer: {budget_text(options.steer_budget)} to {aim}")
        with self.clock("steer"), warnings.catch_warnings():
            warnings.simplefilter("ignore", MoleculeWarning)  # said already, or said of the measured draws
            self.helpers.steer(
                steered,
                targets=targets_from(options.targets) if options.targets else None,
                **options.steer_budget,
                estimator=options.estimator,
                key=Key(options.seed),
                folder=folder.steer_checkpoints,
                # the trial has begun the table of evaluations
                resume=resume or self.trial is not None,
                workers=options.workers,
                progress=self.progress,
                **options.steer_options,
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
        with self.clock("measure"):
            found = measure(
                fitted,
                steered,
                count=self.options.samples,
                seed=self.options.seed,
                fcd=self.options.fcd and not self.interrupted,
                conditions=Conditions.of(self.options.forbid, self.options.require),
                paid=paid_values(self.folder.steer_checkpoints),
                scaffold=self.options.scaffolds,
            )
            write_measurements(self.folder, found)
        for line in summary_lines(self.folder.metrics):
            self.say(line)

    def report(self) -> None:
        """Write the report."""
        from softdraw.molecules.report import write_report

        with self.clock("report"):
            self.folder.update_metrics(
                seconds={name: round(value, 2) for name, value in self.seconds.items()}
            )
            path = write_report(self.folder)
        self.say(f"report: {path}")

    def _resume_as(self, resume: bool) -> None:
        self._resume = resume
        if self.trial is not None:
            self.trial.resume = resume

    def _given_up(self) -> str:
        _, found = read_evaluations(self.folder.steer_checkpoints)
        drawn = sum(known.step is not None for known in found.values())
        return f"; what was paid for {drawn:,} molecules that it drew is given up" if drawn else ""

    def _keep_trial(self) -> None:
        if self.trial is not None:
            self.trial.keep()

    @property
    def _fit_is_complete(self) -> bool:
        complete = {"options": self.options.fit_stage(self._digest), "complete": True}
        return self._resume and self.folder.stages.get("fit") == complete


def _same_apart_from_budget(before: Any, now: dict[str, Any]) -> bool:
    if not isinstance(before, dict):
        return False
    budget = ("minutes", "steps", "calls")
    return {k: v for k, v in before.items() if k not in budget} == {
        k: v for k, v in now.items() if k not in budget
    }
