"""What a generator of molecules holds, and how it is saved and read: settings, network, data, history.

What it does with them is for ``sampler`` and ``generator``. May import: ``saving``, ``priors``, ``sampling``,
``data``, ``chemistry``, ``model``, ``errors``.
"""

import os
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from softdraw.arguments import read_count, read_number
from softdraw.molecules.chemistry.properties import property_of
from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.chemistry.vocabulary import Vocabulary
from softdraw.molecules.data.split import Parts
from softdraw.molecules.errors import CheckpointError
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.model.sizes import NetworkOptions, size_of
from softdraw.molecules.priors.shipped import Prior, prior_names, read_prior
from softdraw.molecules.sampling.stand_ins import drawn_parts
from softdraw.molecules.saving import SavedModel, SavedSettings, load_model, save_model

__all__ = ["GeneratorState"]


class GeneratorState:
    """Settings of a generator, its network once there is one, and the molecules that it learned from.

    The arguments and attributes are those of ``MoleculeGenerator``.

    Example:
        >>> GeneratorState(width=16, layers=1).options.width
        16
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        network: str | None = None,
        augment: float | None = None,
        learning_rate: float | None = None,
        batch_size: int | None = None,
        **options: int,
    ) -> None:
        self.seed = seed
        self.augment = None if augment is None else read_number("augment", augment, least=0.0, most=1.0)
        self.learning_rate = (
            None if learning_rate is None else read_number("learning_rate", learning_rate, least=0.0)
        )
        self.batch_size = None if batch_size is None else read_count("batch_size", batch_size, 1)
        self.size = size_of(network, options)
        self.dataset_summary: dict[str, Any] = {}
        self.fit_summary: dict[str, Any] = {}
        self.steer_summary: dict[str, Any] = {}
        self.sample_summary: dict[str, Any] = {}
        self.fit_history: list[dict[str, Any]] = []
        self.steer_history: list[dict[str, Any]] = []
        self.property_statistics: dict[str, tuple[float, float]] = {}
        self.rank = 0
        self._network: GraphNetwork | None = None
        self._parts: Parts | None = None
        self._vocabulary: Vocabulary | None = None  # of a prior, which has no molecules to tell it by
        self._known_labels: dict[Property, tuple[NDArray[np.float64], tuple[float, float]]] = {}

    @property
    def options(self) -> NetworkOptions | None:
        """Sizes of the network: the fitted one's, or those asked for; None leaves them to ``fit``."""
        return self._network.options if self._network is not None else self.size

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

        A prior that the package brings along comes without its molecules: 10,000 that it draws stand for
        them, always the same.

        Raises:
            RuntimeError: before ``fit``.
        """
        if self._parts is None and self._vocabulary is not None:
            self._parts = drawn_parts(self.network, self._vocabulary)
        if self._parts is None:
            raise RuntimeError(
                "this MoleculeGenerator holds no data yet: call fit, or MoleculeGenerator.load"
            )
        return self._parts

    @property
    def vocabulary(self) -> Vocabulary:
        """The atom types that are drawn."""
        return self._vocabulary or self.parts.train.vocabulary

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

    def statistics_of(self, name: str) -> tuple[float, float]:
        """Mean and standard deviation of a property over the training molecules (10,000 of them at most)."""
        if name not in self.property_statistics:
            self._labels(property_of(name))
        return self.property_statistics[name]

    def _labels(self, record: Property) -> NDArray[np.float64]:
        """A property of the first training molecules, computed once."""
        if record not in self._known_labels:
            self._known_labels[record] = self.parts.labels(record)
        labels, self.property_statistics[record.name] = self._known_labels[record]
        return labels

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
        """Read what ``save`` wrote, or a prior that the package brings along.

        Args:
            folder: the folder, or ``"druglike"``: fitted to 1.6 million drug-like molecules (MOSES), see its
                model card in ``softdraw/molecules/priors``. A folder of that name comes first.

        Raises:
            CheckpointError: a file is missing or damaged, or of another version.
        """
        if os.fspath(folder) in prior_names() and not Path(folder).is_dir():
            return cls._from_prior(read_prior(os.fspath(folder)))
        saved = load_model(Path(folder))
        kept = saved.settings
        try:
            generator = cls(
                seed=kept.seed,
                augment=kept.augment,
                learning_rate=kept.learning_rate,
                batch_size=kept.batch_size,
            )
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"{os.fspath(folder)}: not a whole saved generator ({error})") from error
        generator.size = saved.network.options
        generator.dataset_summary, generator.property_statistics = (
            kept.dataset_summary,
            kept.property_statistics,
        )
        generator.fit_summary, generator.fit_history = kept.fit_summary, kept.fit_history
        generator.steer_summary, generator.steer_history = kept.steer_summary, kept.steer_history
        generator._network, generator._parts = saved.network.eval(), saved.parts
        return generator

    @classmethod
    def _from_prior(cls, prior: Prior) -> Self:
        generator = cls()
        generator.size, generator._network = prior.network.options, prior.network
        generator._vocabulary = prior.vocabulary
        generator.dataset_summary, generator.fit_summary = prior.dataset_summary, prior.fit_summary
        generator.property_statistics = dict(prior.property_statistics)
        return generator
