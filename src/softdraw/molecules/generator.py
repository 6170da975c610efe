"""A generator of molecules: fitted to molecules and steered to properties; ``sampler`` draws from it."""

import copy
import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from torch.distributed import ProcessGroup

from softdraw.arguments import read_choice, read_count
from softdraw.molecules.chemistry.scaffold import Scaffold, read_scaffolds
from softdraw.molecules.data.dataset import Dataset, dataset_of
from softdraw.molecules.data.split import Parts
from softdraw.molecules.evaluating.evaluator import Evaluator
from softdraw.molecules.evaluating.ledger import Ledger
from softdraw.molecules.fitting.stage import FittingOptions, run_fitting
from softdraw.molecules.runtime.budget import Budget
from softdraw.molecules.runtime.ranks import Ranks
from softdraw.molecules.runtime.remarks import remark
from softdraw.molecules.runtime.threads import threads_for
from softdraw.molecules.sampler import MoleculeSampler
from softdraw.molecules.sampling.scaffolds import given_parts
from softdraw.molecules.state import GeneratorState
from softdraw.molecules.steering.gradients.estimator import check_gradients
from softdraw.molecules.steering.kept_part import KeptPart
from softdraw.molecules.steering.labels import labels_of
from softdraw.molecules.steering.objectives import COMBINED, Objective
from softdraw.molecules.steering.options import SteerOptions
from softdraw.molecules.steering.stage import run_steering
from softdraw.molecules.steering.steering import Steering
from softdraw.molecules.steering.targets import Target, default_target, targets_from
from softdraw.random import Key

__all__ = ["MoleculeGenerator"]

ENOUGH_MOLECULES = 4
"""Fewer molecules than this are remarked on."""


class MoleculeGenerator(MoleculeSampler):
    """Draws molecular graphs atom by atom and bond by bond.

    Args:
        seed: of everything random where no key is given.
        network: ``"small"``, ``"medium"`` or ``"large"``; by default ``fit`` picks the size of the network,
            and the three that follow, from molecules, atoms and minutes (``fit_summary["plan"]`` says why).
        augment: share of training batches in which every molecule gets a random order of its atoms; in the
            others it has the reading order of its canonical SMILES.
        learning_rate: peak of the learning rate of ``fit``.
        batch_size: molecules of a training batch.
        options: single sizes of the network: ``width``, ``layers``, ``heads``, ``expand``, ``bond_width``
            (see ``NetworkOptions``).

    Attributes:
        dataset_summary: what was read, kept and left out, and how it was split.
        fit_summary, steer_summary: what the two stages did.
        sample_summary: of the last ``sample``, how many graphs were drawn and what was left out.
        fit_history, steer_history: their figures over time.
        train_smiles, validation_smiles, heldout_smiles: the three parts of the data.
        property_statistics: mean and standard deviation over the data of the properties asked for so far.

    Raises:
        TypeError: an argument is of a wrong type.
        ValueError: a size or a share is out of its range.

    Example:
        >>> from softdraw.molecules import MoleculeGenerator
        >>> import softdraw as sd
        >>> generator = MoleculeGenerator(width=16, layers=1)
        >>> generator = generator.fit(["CCO", "CC", "CCC", "CO", "CCN"], steps=2)
        >>> drawn = generator.sample(3, key=sd.Key(0), mask=True)
        >>> len(drawn), all(drawn)
        (3, True)
    """

    def fit(
        self,
        data: Dataset | str | os.PathLike[str] | Iterable[Any],
        *,
        minutes: float | None = None,
        steps: int | None = None,
        elements: Sequence[str] | None = None,
        max_atoms: int | None = None,
        smiles_column: str | int | None = None,
        encoding: str | None = None,
        fragments: str | None = None,
        holdout: int | None = None,
        key: Key | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        start: Self | str | os.PathLike[str] | None = None,
        devices: int = 1,
        strategy: str = "auto",
        progress: bool | None = None,
        say: Callable[[str], object] = lambda line: None,
    ) -> Self:
        """Learn to draw the molecules of ``data`` by maximum likelihood.

        Args:
            data: SMILES or RDKit molecules, the path of a file of molecules, ``"chemicals"`` (embedded),
                ``"qm9"``, or a ``Dataset`` that ``load`` gave, which is taken as it is.
            minutes: wall time to train for; 5 when neither this nor ``steps`` is given.
            steps: optimiser steps instead; the result is then a function of data, key and options.
            elements: symbols of the elements allowed.
            max_atoms: heavy atoms of the largest molecule allowed.
            smiles_column: of a file with several columns, the one with the SMILES, by its heading or its
                number from 1; by default it is found.
            encoding: of the text of a file, as Python names it; by default it is found.
            fragments: ``"drop"`` leaves out a molecule of several fragments, ``"largest"`` keeps the largest.
            holdout: molecules kept from training, to compare with; by default a tenth, at most 10,000.
            key: of the split, the initial weights and the order of the data; by default ``Key(seed)``.
            folder: where a checkpoint and a TensorBoard log are kept while it runs.
            resume: go on from the checkpoint in ``folder``.
            start: a generator, its folder or ``"druglike"``, to go on from: its weights are taken over, new
                atom types and larger molecules included, and its sizes with them.
            devices: processes; they see together the data that one would.
            strategy: Lightning's, such as ``"ddp"`` for several processes.
            progress: show a progress bar; None shows it on a terminal.
            say: called with a line on what was picked for these data and this time, and why.

        Returns:
            Itself.

        Raises:
            DataError: nothing usable in ``data``.
            TypeError: an argument is of a wrong type.
            CheckpointError: the checkpoint to go on from is damaged or of another run.
            ValueError: an argument is out of its range.
        """
        before = start if start is None or isinstance(start, GeneratorState) else self.load(start)
        budget = Budget(5.0 if minutes is None and steps is None else minutes, steps)
        options = FittingOptions(
            self.size,
            self.batch_size,
            self.learning_rate,
            self.augment,
            read_count("devices", devices, 1),
            strategy,
            None if before is None else (before.network, before.vocabulary),
        )
        key = Key(self.seed) if key is None else key
        dataset = dataset_of(
            data,
            elements=elements,
            max_atoms=max_atoms,
            smiles_column=smiles_column,
            encoding=encoding,
            fragments=fragments,
            progress=progress,
        )
        parts = Parts.of(dataset.graphs, holdout, key.fold_in(1))
        if len(dataset) < ENOUGH_MOLECULES:
            remark(f"data: {len(dataset)} usable, too few to learn more than to repeat them")
        where = None if folder is None else Path(folder)
        fitted = run_fitting(
            parts, options, budget, key, folder=where, resume=resume, progress=progress, say=say
        )
        self._network, self._parts = fitted.network.eval(), parts
        self._vocabulary = None
        self.rank, self.fit_summary, self.fit_history = fitted.rank, fitted.summary, fitted.history
        self.dataset_summary = parts.summary(dataset)
        self.property_statistics, self._known_labels = {}, {}
        return self

    def steer(
        self,
        targets: Mapping[Any, Any] | Iterable[Target | str] | str | Target | None = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        calls: int | None = None,
        estimator: str = "log-variance",
        combine: str = "sum",
        scaffold: str | os.PathLike[str] | Scaffold | Iterable[str | Scaffold] = (),
        key: Key | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        workers: int = 1,
        group: ProcessGroup | None = None,
        progress: bool | None = None,
        **options: Any,
    ) -> Self:
        """Move what is drawn towards properties, by gradients through the draws.

        Args:
            targets: such as ``{"logp": 2.5, "qed": ("max", 0.5)}`` or ``["logp=2.5", "qed=max@0.5"]``; a
                property is a name, a ``Property`` or a function from an RDKit molecule to a number, as in
                ``{my_function: "max"}``. Ranges, steps and sigmoids are text: ``"1..3"``, ``"<=500"``,
                ``"step(0.6)"``, ``"sigmoid(0.6,0.1)"`` (see ``Target``). By default a logP of 1.5 standard
                deviations above the mean of the data.
            minutes: wall time, computing properties of the data included; 2 when no budget is given.
            steps: optimiser steps instead.
            calls: evaluations instead: molecules whose properties are computed, each once, those of the data
                included. A function of yours is then asked for no more than these.
            estimator: how a batch becomes a gradient: ``"log-variance"``, ``"reinforce"`` or
                ``"reinforce-critic"``, which take properties as they are; ``"control-variate"``, or a name of
                ``softdraw.estimators`` that returns a differentiable one-hot, which learn a network of them.
            combine: how several targets are put together: ``"sum"`` of their distances, or ``"product"`` of
                how desirable they make a molecule, so that none may be missed (see ``Objective``).
            scaffold: a part that every molecule is drawn on from, and keeps, given as for ``sample``; draw
                with the same one afterwards. Its decisions are not drawn, so that they cost no divergence.
            key: of all noise; by default ``Key(seed)``.
            folder: where a checkpoint is kept while it runs, and with ``calls`` ``evaluations.csv``.
            resume: go on from the checkpoint in ``folder``; what was evaluated by then is not paid for again.
            workers: processes that compute properties of your own.
            group: ranks that steer together, which all call this alike: each draws and learns a share of
                every batch and evaluates a share of its molecules, so that together they do what one process
                does with the same batch, but for rounding. The first one alone uses the folder.
            progress: show a progress bar; None shows it on a terminal.
            options: see ``SteerOptions``.

        Returns:
            Itself.

        Raises:
            TargetError: a target is not understood, or cannot work: its property is the same for all
                molecules of the data, or undefined for most. Each is tried on a few molecules first.
            CheckpointError: the checkpoint to go on from is damaged or of another run.
            DataError: a scaffold cannot be drawn on from.
            OutputError: the folder cannot be written; what was steered until then is kept. Or it holds
                evaluations of a steering that this one is not to go on from.
            ValueError: no such estimator, or an argument out of its range.
            RuntimeError: before ``fit``.
        """
        none = minutes is None and steps is None and calls is None
        budget = Budget(2.0 if none else minutes, steps, calls)
        chosen = [default_target(*self.statistics_of("logp"))] if targets is None else targets_from(targets)
        given = SteerOptions(**options)
        read_choice("combine", combine, COMBINED)
        check_gradients(estimator, chosen)
        scaffolds = tuple(read_scaffolds(scaffold)) if scaffold else ()
        parts = given_parts(scaffolds, self.network, self.vocabulary)
        part = None if parts is None else KeptPart(scaffolds, parts)
        where, ranks = None if folder is None else Path(folder), Ranks(group)
        key = Key(self.seed) if key is None else key
        asked = (combine, estimator, given, budget, key.seed, key.offset, [one.text for one in scaffolds])
        ranks.same("arguments", [repr((list(map(str, chosen)), *asked)).encode()])
        ranks.same("weights", (one.detach().numpy().tobytes() for one in self.network.parameters()))
        ranks.same("molecules of the data", (one.encode() for one in self.train_smiles))
        with Evaluator([target.which for target in chosen], workers, ranks) as evaluate:
            names = [target.property for target in chosen]
            ledger = Ledger(names, evaluate, limit=budget.calls, folder=where, resume=resume)
            try:
                return self._steered(
                    chosen, combine, part, ledger, budget, estimator, key, given, where, resume, progress
                )
            finally:
                ledger.close()

    def _steered(
        self,
        targets: list[Target],
        combine: str,
        part: KeptPart | None,
        ledger: Ledger,
        budget: Budget,
        estimator: str,
        key: Key,
        options: SteerOptions,
        folder: Path | None,
        resume: bool,
        progress: bool | None,
    ) -> Self:
        began = time.monotonic()
        network = copy.deepcopy(self.network)
        ranks = ledger.evaluate.ranks
        # what one of several knows from before, another may not
        known = self._known_labels if ranks.count == 1 else {}
        labels = labels_of(targets, ledger, self.parts.train, estimator, known)
        for target, moments in zip(targets, labels.statistics, strict=True):
            self.property_statistics[target.property] = moments
        steering = Steering(
            network,
            labels.graphs,
            labels.values,
            Objective(tuple(targets), labels.statistics, combine),
            ledger,
            estimator,
            key.fold_in(4),
            options,
            part,
            ranks,
        )
        steering.seconds = time.monotonic() - began
        try:
            with threads_for(network.options.width):
                self.steer_summary = run_steering(
                    steering, budget, folder=folder, resume=resume, progress=progress
                )
        finally:
            # also after an error, such as a full disk: what was steered until then was paid for
            if steering.whole:
                self._network = network.eval()
                self.steer_history = steering.history
        self.steer_summary["estimator"] = estimator
        if part is not None:
            self.steer_summary["scaffold"] = part.text
        return self
