"""Batches whose content is a function of the seed and the step alone, so that a run resumes exactly."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.data.graphs import GraphSet

__all__ = ["Batches", "batch_size_for"]

Batch = tuple[Tensor, Tensor]


def batch_size_for(molecules: int, max_atoms: int) -> int:
    """A batch size: 256 graphs of 12 atoms, fewer of larger ones, as a graph costs its atoms squared."""
    fitting = int(256 * min(1.0, (12 / max_atoms) ** 2))
    return max(1, min(max(fitting, 24), molecules // 4 or 1))


class Batches:
    """An endless stream of batches, each molecule once an epoch, in an order that changes with the epoch.

    With several processes each gets its share of every batch: together they see what one process would.

    Args:
        graphs: the molecules.
        size: molecules of a whole batch; the batches of an epoch differ by at most one molecule.
        seed: of the order.
        atoms: the width that batches are padded to.
        augment: share of the batches in which every molecule gets a random atom order.
        start: the first step.
        rank, world: the place of this process among all.
    """

    def __init__(
        self,
        graphs: GraphSet,
        size: int,
        seed: int,
        atoms: int,
        augment: float = 0.0,
        start: int = 0,
        rank: int = 0,
        world: int = 1,
    ) -> None:
        self.graphs, self.seed, self.atoms, self.augment = graphs, seed % 2**64, atoms, augment
        self.start, self.rank, self.world = start, rank, world
        self.per_epoch = max(1, round(len(graphs) / size))
        self._order: tuple[int, NDArray[np.int64]] = (-1, np.zeros(0, dtype=np.int64))

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, int]]:
        step = self.start
        while True:
            yield self.batch(step)
            step += 1

    def indices(self, step: int) -> NDArray[np.int64]:
        """Molecules of the whole batch at ``step``, over all processes; an epoch's order is drawn once."""
        epoch, place = divmod(step, self.per_epoch)
        if self._order[0] != epoch:
            order = np.random.default_rng([self.seed, epoch]).permutation(len(self.graphs))
            self._order = epoch, order
        order = self._order[1]
        first, last = (len(order) * p // self.per_epoch for p in (place, place + 1))
        return order[first:last]

    def batch(self, step: int) -> tuple[Tensor, Tensor, int]:
        """Types ``[b, N]`` and bonds ``[b, N, N]`` of this process, and the size of the whole batch."""
        whole = self.indices(step)
        rng = np.random.default_rng([self.seed, step, self.rank, 1])
        walk = rng if rng.random() < self.augment else None
        types, bonds = self.graphs.dense(whole[self.rank :: self.world], walk, atoms=self.atoms)
        return types, bonds, len(whole)
