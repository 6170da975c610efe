"""The score function (REINFORCE) with a baseline: the properties are asked for, and nothing is relaxed."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from softdraw.functional import gumbel_max
from softdraw.kernels.formulas import one_hot
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.learner import Batch, Learned
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["ScoreFunction"]


class ScoreFunction:
    """Weighs the score function with the cost, less the mean cost of the other graphs of the batch.

    Args:
        fitted: the network that the divergence is taken to.
        objective: the targets.
        price: of a nat of divergence.

    Reference:
        Williams 1992, "Simple statistical gradient-following algorithms"; Kool et al. 2019, "Buy 4 REINFORCE
        samples, get a baseline for free".
    """

    follows = True
    tempered = False

    def __init__(self, fitted: GraphNetwork, objective: Objective, price: float) -> None:
        self.fitted, self.objective, self.price = fitted, objective, price
        self._log_probability: list[Tensor] = []

    def begin(self) -> Choose:
        """Exact draws, whose log-probabilities are kept."""
        self._log_probability = kept = []

        def choose(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
            index = gumbel_max(logits, mask=mask, key=key)
            if mask is not None:  # finite, since a row of finished graphs allows nothing
                logits = logits.masked_fill(~mask, -1e9)
            chosen = logits.log_softmax(-1).gather(-1, index.clamp(min=0).unsqueeze(-1)).squeeze(-1)
            kept.append(torch.where(index >= 0, chosen, 0.0))
            return one_hot(index, logits.shape[-1], logits.dtype)

        return choose

    def loss(self, batch: Batch) -> Learned:
        """The weighed log-likelihood, and the price of the divergence."""
        divergence = divergence_from(self.fitted, batch.drawn)
        cost = costs_of(self.objective, batch)
        baseline = (cost.sum() - cost) / max(1, len(cost) - 1)
        log_likelihood = torch.stack(self._log_probability).sum(0)[torch.from_numpy(batch.known)]
        weighed = (cost - baseline) * log_likelihood
        loss = weighed.mean() if len(weighed) else weighed.sum()
        return Learned(loss + self.price * divergence.mean(), cost.mean(), divergence.detach())

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
