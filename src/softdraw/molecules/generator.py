"""A generator of molecules: fitted to molecules, steered to properties, drawn from, scored."""

import copy
import os
import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray

from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.batches import batch_size_for
from softdraw.molecules.data.dataset import load
from softdraw.molecules.data.split import Parts
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.fitting.module import LikelihoodTraining
from softdraw.molecules.fitting.trainer import run_trainer
from softdraw.molecules.model.network import GraphNetwork, NetworkOptions
from softdraw.molecules.model.sampling import sample_smiles
from softdraw.molecules.runtime.budget import Budget
from softdraw.molecules.runtime.interrupts import StopOnInterrupt
from softdraw.molecules.runtime.progress import ProgressBar
from softdraw.molecules.runtime.threads import threads_for
from softdraw.molecules.saving import SavedModel, SavedSettings, load_model, save_model
from softdraw.molecules.scoring.scores import Scores, score
from softdraw.molecules.steering.objectives import Objective
from softdraw.molecules.steering.stage import run_steering
from softdraw.molecules.steering.steering import Steering, SteerOptions
from softdraw.molecules.steering.targets import Target, default_target, targets_from
from softdraw.random import Key
from softdraw.random.source import call_key

__all__ = ["MoleculeGenerator"]

ENOUGH_EPOCHS = 3
"""Fewer epochs than this are called under-trained."""


class MoleculeGenerator:
    """Draws molecular graphs atom by atom and bond by bond.

    Args:
        seed: of everything random where no key is given.
        augment: share of training batches in which every molecule gets a random order of its atoms; in the
            others it has the reading order of its canonical SMILES.
        learning_rate: peak of the learning rate of ``fit``.
        batch_size: molecules of a training batch; None chooses by the size of the molecules.
        options: sizes of the network: ``width``, ``layers``, ``heads``, ``expand``, ``pair_width``,
            ``bond_width`` (see ``NetworkOptions``).

    Attributes:
        dataset_summary: what was read, kept and left out, and how it was split.
        fit_summary, steer_summary: what the two stages did.
        fit_history, steer_history: their figures over time.
        train_smiles, validation_smiles, heldout_smiles: the three parts of the data.
        property_statistics: mean and standard deviation over the data of the properties asked for so far.

    Raises:
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

    def __init__(
        self,
        *,
        seed: int = 0,
        augment: float = 1.0,
        learning_rate: float = 4e-3,
        batch_size: int | None = None,
        **options: int,
    ) -> None:
        if not 0 <= augment <= 1:
            raise ValueError(f"augment: got {augment}, expected a share from 0 to 1")
        self.seed, self.augment = seed, augment
        self.learning_rate, self.batch_size = learning_rate, batch_size
        self.options = NetworkOptions(**options)
        self.dataset_summary: dict[str, Any] = {}
        self.fit_summary: dict[str, Any] = {}
        self.steer_summary: dict[str, Any] = {}
        self.fit_history: list[dict[str, Any]] = []
        self.steer_history: list[dict[str, Any]] = []
        self.property_statistics: dict[str, tuple[float, float]] = {}
        self.rank = 0
        self._network: GraphNetwork | None = None
        self._parts: Parts | None = None
        self._known_labels: dict[str, NDArray[np.float64]] = {}

    @property
    def network(self) -> GraphNetwork:
        """The network, fitted or steered.

        Raises:
            RuntimeError: before ``fit``.
        """
        if self._network is None:
            raise RuntimeError(
                "this MoleculeGenerator has no network yet: call fit, or MoleculeGenerator.load"
            )
        return self._network

    @property
    def parts(self) -> Parts:
        """The molecules, parted.

        Raises:
            RuntimeError: before ``fit``.
        """
        if self._parts is None:
            raise RuntimeError(
                "this MoleculeGenerator holds no data yet: call fit, or MoleculeGenerator.load"
            )
        return self._parts

    @property
    def vocabulary(self) -> Vocabulary:
        """The atom types that are drawn."""
        return self.parts.train.vocabulary

    @property
    def train_smiles(self) -> list[str]:
        """The molecules that were learned."""
        return self.parts.train.smiles

    @property
    def validation_smiles(self) -> list[str]:
        """The molecules that decided when to stop."""
        return self.parts.validation.smiles

    @property
    def heldout_smiles(self) -> list[str]:
        """The molecules to score against."""
        return self.parts.heldout.smiles

    def _adopt(self, network: GraphNetwork, parts: Parts) -> None:
        """Take over a fitted network and its data."""
        self._network, self._parts = network.eval(), parts

    def fit(
        self,
        data: str | os.PathLike[str] | Iterable[str],
        *,
        minutes: float | None = None,
        steps: int | None = None,
        elements: Sequence[str] | None = None,
        max_atoms: int | None = None,
        smiles_column: str | int | None = None,
        holdout: int | None = None,
        key: Key | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        devices: int = 1,
        strategy: str = "auto",
        progress: bool | None = None,
    ) -> Self:
        """Learn to draw the molecules of ``data`` by maximum likelihood.

        Args:
            data: SMILES, the path of a file of molecules, ``"chemicals"`` (embedded) or ``"qm9"``.
            minutes: wall time to train for; 5 when neither this nor ``steps`` is given.
            steps: optimiser steps instead; the result is then a function of data, key and options.
            elements: symbols of the elements allowed.
            max_atoms: heavy atoms of the largest molecule allowed.
            smiles_column: of a file with several columns, the one with the SMILES, by its heading or its
                number from 1; by default it is found.
            holdout: molecules kept from training, to compare with; by default a tenth, at most 10,000.
            key: of the split, the initial weights and the order of the data; by default ``Key(seed)``.
            folder: where a checkpoint and a TensorBoard log are kept while it runs.
            resume: go on from the checkpoint in ``folder``.
            devices: processes; they see together the data that one would.
            strategy: Lightning's, such as ``"ddp"`` for several processes.
            progress: show a progress bar; None shows it on a terminal.

        Returns:
            Itself.

        Raises:
            DataError: nothing usable in ``data``.
            CheckpointError: the checkpoint to go on from is damaged or of another run.
            ValueError: an argument is out of its range.
        """
        if minutes is None and steps is None:
            minutes = 5.0
        budget = Budget(minutes, steps)
        key = Key(self.seed) if key is None else key
        dataset = load(data, elements=elements, max_atoms=max_atoms, smiles_column=smiles_column)
        parts = Parts.of(dataset.graphs, holdout, key.fold_in(1))
        size = self.batch_size or batch_size_for(len(parts.train), parts.max_atoms)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key.fold_in(2).seed % 2**63)
            network = GraphNetwork(dataset.graphs.vocabulary.valences, parts.max_atoms, self.options)
        with StopOnInterrupt() as stop, ProgressBar("fit", progress) as bar, threads_for(self.options.width):
            module = LikelihoodTraining(
                network,
                parts.train,
                parts.validation,
                budget,
                batch_size=size,
                learning_rate=self.learning_rate,
                augment=self.augment,
                seed=key.fold_in(3).seed,
                on_step=bar.update,
                should_stop=lambda: stop.requested,
            )
            place = None if folder is None else Path(folder)
            self.rank = run_trainer(module, folder=place, resume=resume, devices=devices, strategy=strategy)
        self._adopt(module.best.requires_grad_(True), parts)
        self.dataset_summary = parts.summary(dataset)
        self.property_statistics, self._known_labels = {}, {}
        self.fit_history = module.history
        epochs = module.steps / module.per_epoch
        self.fit_summary = {
            "budget": str(budget),
            "seconds": module.seconds,
            "epochs": epochs,
            "steps": module.steps,
            "batch_size": size,
            "loss": next((e["loss"] for e in reversed(module.history) if e["loss"] is not None), None),
            "validation_loss": module.best_loss,
            "parameters": sum(weight.numel() for weight in network.parameters()),
            "stopped_early": module.stopped_early,
            "interrupted": module.interrupted,
            "under_trained": epochs < ENOUGH_EPOCHS and not module.stopped_early,
            "processes": devices,
        }
        return self

    def statistics_of(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of a property over the training molecules (10,000 of them at most)."""
        if name not in self.property_statistics:
            self._labels(name)
        return self.property_statistics[name]

    def _labels(self, name: str) -> NDArray[np.float64]:
        """A property of the first training molecules, computed once."""
        if name not in self._known_labels:
            self._known_labels[name], self.property_statistics[name] = self.parts.labels(name)
        return self._known_labels[name]

    def steer(
        self,
        targets: Mapping[str, Any] | Iterable[Target | str] | str | Target | None = None,
        *,
        minutes: float | None = None,
        steps: int | None = None,
        estimator: str = "st-gumbel-softmax",
        key: Key | None = None,
        folder: str | os.PathLike[str] | None = None,
        resume: bool = False,
        progress: bool | None = None,
        **options: Any,
    ) -> Self:
        """Move what is drawn towards properties, by gradients through the draws.

        Args:
            targets: such as ``{"logp": 2.5, "qed": ("max", 0.5)}`` or ``["logp=2.5", "qed=max@0.5"]``; by
                default a logP of 1.5 standard deviations above the mean of the data.
            minutes: wall time, computing properties of the data included; 2 when neither this nor ``steps``
                is given.
            steps: optimiser steps instead.
            estimator: a name of ``softdraw.estimators`` that returns a differentiable one-hot, or
                ``"reinforce"``, which needs no property network.
            key: of all noise; by default ``Key(seed)``.
            folder: where a checkpoint is kept while it runs.
            resume: go on from the checkpoint in ``folder``.
            progress: show a progress bar; None shows it on a terminal.
            options: see ``SteerOptions``.

        Returns:
            Itself.

        Raises:
            TargetError: a target that is not understood.
            CheckpointError: the checkpoint to go on from is damaged or of another run.
            ValueError: no such estimator, or an argument out of its range.
            RuntimeError: before ``fit``.
        """
        if minutes is None and steps is None:
            minutes = 2.0
        budget = Budget(minutes, steps)
        began = time.monotonic()
        network = copy.deepcopy(self.network)
        chosen = [default_target(*self.statistics_of("logp"))] if targets is None else targets_from(targets)
        labels = np.stack([self._labels(target.property) for target in chosen], 1)
        objective = Objective(tuple(chosen), tuple(self.statistics_of(t.property) for t in chosen))
        graphs = self.parts.train.subset(np.arange(len(labels)))
        steering = Steering(
            network,
            graphs,
            labels,
            objective,
            estimator,
            (Key(self.seed) if key is None else key).fold_in(4),
            SteerOptions(**options),
        )
        steering.seconds = time.monotonic() - began
        with threads_for(self.options.width):
            self.steer_summary = run_steering(
                steering,
                budget,
                folder=None if folder is None else Path(folder),
                resume=resume,
                progress=progress,
            )
        self.steer_summary["estimator"] = estimator
        self._network = network.eval()
        self.steer_history = steering.history
        return self

    def sample(self, count: int, *, key: Key | None = None, mask: bool = True) -> list[str]:
        """Draw molecules.

        Args:
            count: how many.
            key: the same key gives the same molecules, and the first ones of a larger count; None takes a
                fresh key from torch's default generator.
            mask: allow only decisions that end in a molecule, so that every graph is valid; without it the
                network is on its own.

        Returns:
            ``count`` canonical SMILES, ``""`` where a graph is no molecule.

        Raises:
            ValueError: ``count`` is negative.
            RuntimeError: before ``fit``.
        """
        if count < 0:
            raise ValueError(f"count: got {count}, expected 0 or more")
        key = call_key(key, None)
        with threads_for(self.options.width):
            return sample_smiles(self.network, self.vocabulary, count, key, mask=mask)

    def score(
        self, samples: Sequence[str], *, whole: Collection[str] | None = None, fcd: bool = True
    ) -> Scores:
        """Score SMILES against this generator's own data.

        Args:
            samples: drawn SMILES, ``""`` for what is no molecule.
            whole: molecules that do not count as new; by default all that were read.
            fcd: compute the Fréchet ChemNet distance to the held-out molecules, which takes the longest.

        Returns:
            The scores.
        """
        parts = self.parts
        if whole is None:
            whole = {*parts.train.smiles, *parts.validation.smiles, *parts.heldout.smiles}
        reference = self.heldout_smiles if len(self.heldout_smiles) > 1 else None
        return score(samples, train=self.train_smiles, whole=whole, reference=reference, fcd=fcd)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the generator: weights (safetensors), data, settings and history.

        Raises:
            OutputError: the folder cannot be written, or the disk is full.
            RuntimeError: before ``fit``.
        """
        settings = SavedSettings(
            seed=self.seed,
            augment=self.augment,
            learning_rate=self.learning_rate,
            batch_size=self.batch_size,
            dataset_summary=self.dataset_summary,
            fit_summary=self.fit_summary,
            steer_summary=self.steer_summary,
            fit_history=self.fit_history,
            steer_history=self.steer_history,
            property_statistics=self.property_statistics,
        )
        save_model(Path(folder), SavedModel(self.network, self.parts, settings))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read what ``save`` wrote.

        Raises:
            CheckpointError: a file is missing or damaged, or of another version.
        """
        saved = load_model(Path(folder))
        kept = saved.settings
        try:
            generator = cls(
                seed=kept.seed,
                augment=kept.augment,
                learning_rate=kept.learning_rate,
                batch_size=kept.batch_size,
                **saved.network.options.to_dict(),
            )
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{os.fspath(folder)}: not a whole saved generator ({error})") from error
        generator.dataset_summary, generator.property_statistics = (
            kept.dataset_summary,
            kept.property_statistics,
        )
        generator.fit_summary, generator.fit_history = kept.fit_summary, kept.fit_history
        generator.steer_summary, generator.steer_history = kept.steer_summary, kept.steer_history
        generator._adopt(saved.network, saved.parts)
        return generator
