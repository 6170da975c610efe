"""A data set parted at random: to train on, to stop by, to score against."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from softdraw.arguments import read_count
from softdraw.molecules.chemistry.properties import evaluate, moments, property_of
from softdraw.molecules.chemistry.property import Property
from softdraw.molecules.data.dataset import Dataset
from softdraw.molecules.data.graphs import GraphSet
from softdraw.random import Key

__all__ = ["LABELLED", "Parts"]

LABELLED = 10_000
"""Molecules on which RDKit's properties are computed, for their statistics and for the property network."""


@dataclass(frozen=True)
class Parts:
    """Training, validation and held-out molecules, none in two of them.

    Attributes:
        train: to learn from.
        validation: to stop by; the training molecules again where there are too few to part.
        heldout: to score against, seen by nothing else.
    """

    train: GraphSet
    validation: GraphSet
    heldout: GraphSet

    @classmethod
    def of(cls, graphs: GraphSet, holdout: int | None, key: Key) -> "Parts":
        """Part ``graphs``.

        Args:
            graphs: all molecules.
            holdout: how many to hold out; None is a tenth, at most 10,000.
            key: of the shuffle.

        Raises:
            TypeError: ``holdout`` is no int.
            ValueError: it is negative, or no molecule would be left to train on.
        """
        count = len(graphs)
        held = min(10_000, count // 10) if holdout is None else read_count("holdout", holdout)
        if held > count - 1:
            raise ValueError(f"holdout: got {holdout}, expected 0 to {count - 1} for {count} molecules")
        judged = min(2_000, (count - held) // 20)
        order = np.random.default_rng(key.seed % 2**64).permutation(count)
        train = graphs.subset(order[held + judged :])
        validation = graphs.subset(order[held : held + judged]) if judged else train
        return cls(train, validation, graphs.subset(order[:held]))

    @property
    def max_atoms(self) -> int:
        """Atoms of the largest molecule."""
        return max(part.max_atoms for part in (self.train, self.validation, self.heldout))

    def labels(self, which: str | Property) -> tuple[NDArray[np.float64], tuple[float, float]]:
        """A property of the first 10,000 training molecules, and its mean and standard deviation.

        Raises:
            TargetError: there is no such property, or it is not a number for any of them.
        """
        values = evaluate(which, self.train.smiles[:LABELLED])
        return values, moments(property_of(which).name, values)

    def summary(self, data: Dataset) -> dict[str, Any]:
        """What was read, kept and left out, and how it was parted."""
        return {
            "description": data.description,
            "read": data.read,
            "kept": len(data.graphs),
            "dropped": {reason: str(entry) for reason, entry in data.dropped.items()},
            "stereo": data.stereo,
            "parted": data.parted,
            "reading": data.reading,
            "vocabulary": list(data.graphs.vocabulary.names),
            "max_atoms": data.graphs.max_atoms,
            "train": len(self.train),
            "validation": 0 if self.validation is self.train else len(self.validation),
            "heldout": len(self.heldout),
        }
