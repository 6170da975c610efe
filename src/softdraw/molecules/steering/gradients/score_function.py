"""The score function (REINFORCE) with a baseline: the properties are asked for, and nothing is relaxed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.credit import Record, others
from softdraw.molecules.steering.gradients.learner import Batch, DrawsOnly, Learned
from softdraw.molecules.steering.objectives import Objective

__all__ = ["ScoreFunction"]


class ScoreFunction(DrawsOnly):
    """Weighs the score function with the cost, less the mean cost of the other graphs of the batch.

    Args:
        fitted: the network that the divergence is taken to.
        objective: the targets.
        price: of a nat of divergence.

    Reference:
        Williams 1992, "Simple statistical gradient-following algorithms"; Kool et al. 2019, "Buy 4 REINFORCE
        samples, get a baseline for free".
    """

    tempered = False

    def __init__(self, fitted: GraphNetwork, objective: Objective, price: float) -> None:
        self.fitted, self.objective, self.price = fitted, objective, price
        self._record = Record()

    def begin(self) -> Choose:
        """Exact draws, whose log-probabilities are kept."""
        self._record = Record()
        return self._record.choose

    def loss(self, batch: Batch) -> Learned:
        """The weighed log-likelihood, and the price of the divergence."""
        divergence = divergence_from(self.fitted, batch.drawn)
        cost = costs_of(self.objective, batch)
        log_likelihood = self._record.log_probabilities.sum(0)[torch.from_numpy(batch.own_known)]
        weights = torch.zeros(len(batch.smiles))
        if batch.known.any():
            weights[torch.from_numpy(batch.known)] = (cost - others(cost)) / len(cost)
        own = torch.from_numpy(batch.own[batch.own_known])
        loss = (weights[own] * log_likelihood).sum()
        loss = loss + self.price * divergence.sum() / len(batch.smiles)
        return Learned(loss, cost.mean(), divergence.detach())

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """Nothing."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """Nothing."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Nothing."""


def costs_of(objective: Objective, batch: Batch) -> Tensor:
    """Costs of those that were evaluated; where there is no value, that of the worst. 0 where none was."""
    cost = objective.cost(torch.from_numpy(batch.values[batch.known]).float())
    return cost.nan_to_num(float(cost.nan_to_num(0.0).max())) if len(cost) else torch.zeros(1)
