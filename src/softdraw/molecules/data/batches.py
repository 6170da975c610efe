"""Batches whose content is a function of the seed and the step alone, so that a run resumes exactly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.data.graphs import GraphSet

__all__ = ["Batches"]

SORTED_BATCHES = 16
"""Batches whose molecules are sorted by size together."""


class Batches:
    """An endless stream of batches, each molecule once an epoch, in an order that changes with the epoch.

    With several processes each gets its share of every batch: together they see what one process would.

    Args:
        graphs: the molecules.
        size: molecules of a whole batch; the batches of an epoch differ by at most one molecule. They are of
            like size, so that little is computed for atoms that are not there.
        seed: of the order.
        augment: share of the batches in which every molecule gets a random atom order. Where it is 1 that is
            the usual order. Else the others have the usual one, that of the canonical SMILES, and these
            finish a random part of each molecule first, as if it had been given.
        start: the first step.
        rank, world: the place of this process among all.
    """

    def __init__(
        self,
        graphs: GraphSet,
        size: int,
        seed: int,
        augment: float = 0.0,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.graphs, self.seed, self.augment = graphs, seed % 2**64, augment
        self.start, self.rank, self.world = start, rank, world
        self.per_epoch = max(1, round(len(graphs) / size))
        self._epoch: tuple[int, list[NDArray[np.int64]]] = (-1, [])

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int, bool]]:
        step = self.start
        while True:
            yield self.batch(step)
            step += 1

    def indices(self, step: int) -> NDArray[np.int64]:
        """Molecules of the whole batch at ``step``, over all processes; an epoch's order is drawn once."""
        epoch, place = divmod(step, self.per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = epoch, self._batches(np.random.default_rng([self.seed, epoch]))
        return self._epoch[1][place]

    def _batches(self, rng: np.random.Generator) -> list[NDArray[np.int64]]:
        """All molecules at random, but in every few batches sorted by size before they are parted."""
        order, sizes = rng.permutation(len(self.graphs)), self.graphs.sizes
        bounds = len(order) * np.arange(self.per_epoch + 1) // self.per_epoch
        batches: list[NDArray[np.int64]] = []
        for first in range(0, self.per_epoch, SORTED_BATCHES):
            inner = bounds[first : first + SORTED_BATCHES + 1]
            some = order[inner[0] : inner[-1]]
            some = some[np.argsort(sizes[some], kind="stable")]
            parted = np.split(some, inner[1:-1] - inner[0])
            batches += [parted[place] for place in rng.permutation(len(parted))]
        return batches

    def batch(self, step: int) -> tuple[Tensor, Tensor, int, bool]:
        """Types ``[b, N]`` and bonds ``[b, N, N]`` of this process, the size of the whole batch, and whether
        its atoms come in another order than the usual one.
        """
        whole = self.indices(step)
        rng = np.random.default_rng([self.seed, step, self.rank, 1])
        # over all processes alike, and without a draw where every batch is of one kind
        other = 0 < self.augment < 1 and np.random.default_rng([self.seed, step, 2]).random() < self.augment
        walk = rng if other or self.augment == 1 else None
        types, bonds = self.graphs.dense(whole[self.rank :: self.world], walk, part_first=other)
        return types, bonds, len(whole), other
