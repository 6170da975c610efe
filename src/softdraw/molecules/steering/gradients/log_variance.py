"""The log-variance loss: what is drawn, from wherever it came, is compared with what should be drawn.

The best network at a price of beta for a nat draws a molecule x with a probability proportional to
p_fitted(x) exp(-cost(x) / beta). So

    r(x) = log p(x) - log p_fitted(x) + cost(x) / beta

is the same for all x, and its variance is a loss whose least value, 0, is reached there and only there. On
molecules that the network draws itself its gradient is the score function's with the mean of the batch as
baseline, price of divergence included; but it holds for molecules from elsewhere as well: earlier ones, and
offspring of the best. The constant is the mean of r over what the network draws.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from softdraw.molecules.model.drawing import Choose, choose_hard
from softdraw.molecules.model.likelihood import log_likelihood
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.learner import Batch, Learned
from softdraw.molecules.steering.gradients.memory import Graphs, Memory
from softdraw.molecules.steering.gradients.score_function import costs_of
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["LogVariance"]


class LogVariance:
    """Learns a batch as it was drawn, and then the memory of earlier ones, several times.

    Args:
        network: that is steered.
        fitted: the network that the divergence is taken to.
        objective: the targets.
        price: ``beta``, of a nat of divergence.
        memory: of the molecules that were evaluated.
        updates: from the memory, for each batch.
        batch_size: molecules of such an update.
        key: of what is drawn from the memory.

    Reference:
        Richter, Boustati, Nüsken, Ruiz and Akyildiz 2020, "VarGrad: a low-variance gradient estimator for
        variational inference", arXiv:2010.10436.
    """

    follows = False
    tempered = False

    def __init__(
        self,
        network: GraphNetwork,
        fitted: GraphNetwork,
        objective: Objective,
        price: float,
        *,
        memory: Memory,
        updates: int,
        batch_size: int,
        key: Key,
    ) -> None:
        self.network, self.fitted, self.objective, self.price = network, fitted, objective, price
        self.memory, self.updates, self.batch_size, self.key = memory, updates, batch_size, key
        self.taken = 0
        self.constant = 0.0

    def begin(self) -> Choose:
        """Exact draws."""
        return choose_hard

    def loss(self, batch: Batch) -> Learned:
        """A loss whose gradient is that of ``beta / 2`` times the variance of ``r`` over the batch."""
        known = torch.from_numpy(batch.known)
        cost = costs_of(self.objective, batch)
        types, bonds = batch.drawn.types[known], batch.drawn.bonds[known]
        if not len(types):
            nothing = torch.stack([one.sum() for one in self.network.parameters()]).sum() * 0
            return Learned(nothing, cost.mean(), torch.zeros(1))
        apart = self._apart((types, bonds))
        self.constant = float((self.price * apart.detach() + cost).mean())
        return Learned(self._half_variance(apart, cost), cost.mean(), apart.detach())

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """Keep the batch, and learn from the memory."""
        costs = np.full(len(batch.smiles), np.nan)
        costs[batch.known] = self.objective.cost(torch.from_numpy(batch.values[batch.known])).numpy()
        self.memory.add(batch.smiles, costs)
        for _ in range(self.updates if len(self.memory) else 0):
            rng = np.random.default_rng([self.key.seed % 2**64, self.taken])
            self.taken += 1
            places = self.memory.draw(self.batch_size, rng)
            cost = torch.from_numpy(self.memory.costs[places]).float()
            apart = self._apart(self.memory.graphs(places, self._order(rng)))
            descend(self._half_variance(apart, cost))
        return None

    def _half_variance(self, apart: Tensor, cost: Tensor) -> Tensor:
        # not the square itself, which has no limit at a price of 0
        residual = self.price * apart.detach() + cost - self.constant
        return (residual * apart).mean()

    def _order(self, rng: np.random.Generator) -> np.random.Generator | None:
        """Random orders of atoms, for a network that does not know the canonical ones from them."""
        return None if bool(self.network.knows_parts) else rng

    def _apart(self, graphs: Graphs) -> Tensor:
        """Log p - log p_fitted ``[B]``."""
        with torch.no_grad():
            before = log_likelihood(self.fitted, *graphs)
        return log_likelihood(self.network, *graphs) - before

    def state_dict(self) -> dict[str, Any]:
        """The memory."""
        return {"memory": self.memory.state_dict(), "taken": self.taken, "constant": self.constant}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.memory.load_state_dict(state["memory"])
        self.taken, self.constant = state["taken"], state["constant"]
