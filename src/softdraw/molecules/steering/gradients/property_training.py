"""Teaching the property network RDKit's values: first of real molecules, then of what is being drawn."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softdraw.kernels.formulas import one_hot
from softdraw.molecules.data.graphs import GraphSet
from softdraw.molecules.model.network import BOND_ORDERS
from softdraw.molecules.steering.gradients.property_network import PropertyNetwork
from softdraw.molecules.steering.gradients.replay import Replay
from softdraw.random import Key

__all__ = ["PropertyTraining"]

LATER_RATE = 0.2
"""Share of the learning rate once steering has begun."""


class PropertyTraining:
    """A property network and what it learns from.

    Args:
        graphs: real molecules.
        labels: RDKit's properties of them, ``[molecules, properties]``, NaN where there is none.
        key: of the initial weights and of the order of the molecules.
        atoms: the width that graphs are padded to.
        batch_size: molecules of a step.
        learning_rate: of AdamW.
        steps: on real molecules before steering.
        updates: on drawn molecules, for each batch of them: the first on that batch, the others on all that
            were evaluated lately. Each is followed by one on real molecules.
        spreads: of the properties where they are known, else None; they stand in for those of the labels.
    """

    def __init__(
        self,
        graphs: GraphSet,
        labels: np.ndarray,
        key: Key,
        *,
        atoms: int,
        batch_size: int,
        learning_rate: float,
        steps: int,
        updates: int = 1,
        spreads: Sequence[float | None] = (),
    ) -> None:
        self.graphs, self.key, self.atoms, self.batch_size = graphs, key, atoms, batch_size
        self.learning_rate, self.steps = learning_rate, steps
        self.labels = torch.from_numpy(labels).float()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(key.seed % 2**63)
            self.network = PropertyNetwork(graphs.vocabulary.valences, labels.shape[1])
        mean, std = np.nanmean(labels, 0), np.nanstd(labels, 0)
        self.network.mean.copy_(torch.from_numpy(mean))
        known = [np.nan if spread is None else spread for spread in spreads or (None,) * len(std)]
        std = np.where(np.isnan(known), np.maximum(std, 1e-6), known)
        self.network.std.copy_(torch.from_numpy(std))
        self.optimizer = torch.optim.AdamW(self.network.parameters(), lr=learning_rate)
        self.taken = 0
        self.updates = updates
        self.replay = Replay() if updates > 1 else None

    @property
    def warm(self) -> float:
        """Share of the steps on real molecules that were taken, 1 when all were."""
        return min(1.0, self.taken / max(1, self.steps))

    def warm_up(self) -> None:
        """Learn one batch of real molecules, so that the first gradients of the steering mean something."""
        self._learn(*self._real(), 1 - (1 - LATER_RATE) * self.warm)

    def follow(self, types: Tensor, bonds: Tensor, labels: np.ndarray) -> float:
        """Learn drawn graphs, then as many real ones: right on data only, the network would be exploited.

        Returns:
            Mean error on the drawn graphs before learning them, in standard deviations of the data.
        """
        values = torch.from_numpy(labels).float()
        gap = self._learn(types, bonds, values, LATER_RATE)
        self._learn(*self._real(), LATER_RATE)
        if self.replay is not None:
            self.replay.add(types, bonds, values)
            for _ in range(self.updates - 1):
                rng = np.random.default_rng([self.key.seed % 2**64, self.taken, 1])
                self._learn(*self.replay.draw(self.batch_size, rng), LATER_RATE)
                self._learn(*self._real(), LATER_RATE)
        return gap

    def _real(self) -> tuple[Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.key.seed % 2**64, self.taken])
        self.taken += 1
        chosen = rng.integers(0, len(self.graphs), self.batch_size)
        types, bonds = self.graphs.dense(chosen, atoms=self.atoms)
        return types, bonds, self.labels[torch.from_numpy(chosen)]

    def _learn(self, types: Tensor, bonds: Tensor, labels: Tensor, rate: float) -> float:
        kinds = len(self.graphs.vocabulary)
        predicted = self.network(
            one_hot(types, kinds, labels.dtype), one_hot(bonds, BOND_ORDERS, labels.dtype)
        )
        known = torch.isfinite(labels)
        if not bool(known.any()):
            return math.nan
        error = torch.where(known, (predicted - labels.nan_to_num()).abs() / self.network.std, 0.0)
        loss = error.sum() / known.sum()
        self.optimizer.param_groups[0]["lr"] = self.learning_rate * rate
        self.optimizer.zero_grad()
        torch.autograd.backward(loss)
        self.optimizer.step()
        return float(loss.detach())

    def state_dict(self) -> dict[str, Any]:
        """All that an exact resume needs."""
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "taken": self.taken,
            **({} if self.replay is None else {"replay": self.replay.state_dict()}),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.network.load_state_dict(state["network"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.taken = state["taken"]
        if self.replay is not None:
            self.replay.load_state_dict(state["replay"])
