"""The score function with a prediction as control variate, whose own gradient comes from draws that are free.

With f the cost of a graph and c what a property network predicts of it,

    grad E[f] = E[(f - eta c) grad log p] + eta E[c grad log p]

for any c and eta that do not depend on the graphs of the first term. That takes evaluations; the second takes
none, so it is a mean over many more graphs, which nobody evaluates. What is left of the variance is that of
f - eta c, and no bias is added, whatever the network predicts.

The price of the divergence has its whole gradient here: a decision also pays for what is drawn after it.

Why no relaxed draw: REBAR's conditional draw gives an unbiased gradient where c is relaxed in a variable that
nothing else is drawn from. Here all later decisions are drawn from the hard choice, so that a relaxation
beside them has another gradient than c; the exact form needs, for each decision, what c is worth on average
over all that may follow.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from softdraw.molecules.model.drawing import Choose, draw
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.given import GivenParts
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.credit import Record, divergences, others, to_go
from softdraw.molecules.steering.gradients.learner import Batch, DrawsOnly, Learned
from softdraw.molecules.steering.gradients.prediction import Prediction, trusted
from softdraw.molecules.steering.gradients.score_function import costs_of
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["ControlVariate"]

MEMORY = 0.8
"""Share of the covariances of earlier batches that stays in their mean at each batch."""


class ControlVariate(DrawsOnly):
    """(f - eta c) grad log p of the evaluated graphs, and eta c grad log p of more that are not.

    ``eta`` is the share of c that makes the variance least, by the covariances of earlier batches: 0 at the
    first one, and near 0 while the network predicts nothing.

    Args:
        network: that is steered.
        fitted: the network that the divergence is taken to.
        objective: the targets.
        prediction: of the costs.
        price: of a nat of divergence.
        free: graphs that are drawn without an evaluation.
        updates: for each batch of evaluations. Those beyond the first take the network's word: they have no
            first term, and are left out while it is not ``trusted``.
        batch_size: graphs of such an update.
        key: of all draws without an evaluation.

    Reference:
        Tucker et al. 2017, "REBAR", arXiv:1703.07370, equation 2, for the control variate; Gu et al. 2017,
        "Q-Prop", arXiv:1611.02247, for a learned one with a coefficient that follows its covariance.
    """

    tempered = False

    def __init__(
        self,
        network: GraphNetwork,
        fitted: GraphNetwork,
        objective: Objective,
        prediction: Prediction,
        price: float,
        *,
        free: int,
        updates: int,
        batch_size: int,
        key: Key,
    ) -> None:
        self.network, self.fitted, self.objective, self.price = network, fitted, objective, price
        self.prediction, self.free, self.key = prediction, free, key
        self.updates, self.batch_size = updates, batch_size
        self.teacher = prediction.teacher
        self.taken = 0
        self.covariance = self.variance = 0.0
        self._record = Record()

    @property
    def correlated(self) -> float:
        """Slope of f on c, in earlier batches."""
        return self.covariance / self.variance if self.variance > 0 else 0.0

    def begin(self) -> Choose:
        """Exact draws, whose log-probabilities are kept."""
        self._record = Record()
        return self._record.choose

    def loss(self, batch: Batch) -> Learned:
        """Both terms, and the price of the divergence over all that was drawn."""
        known = torch.from_numpy(batch.known)
        cost = costs_of(self.objective, batch)
        with torch.no_grad():
            predicted = self.prediction.cost(batch.drawn)[known]
        # the variances of both terms add up: var(f - eta c) / known + eta^2 var(c) / free
        eta = self.correlated * self.free / max(1, self.free + len(predicted))
        made = self._record.log_probabilities
        score = made.sum(0)[known]
        rest = cost - eta * predicted if len(score) else cost
        loss = _centred(rest, score)
        priced = [self._priced(made, batch.drawn)]
        if self.free:
            predicted_loss, priced_free = self._free(self.free, batch.drawn.given)
            loss = loss + eta * predicted_loss
            priced.append(priced_free)
        self._compare(cost, predicted)
        divergence = priced[0][1]
        whole = torch.cat([one for one, _ in priced]).mean()
        return Learned(loss + self.price * whole, cost.mean(), divergence.detach())

    def _free(self, count: int, given: GivenParts | None) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The loss of what is predicted of graphs that nobody evaluates, and their ``_priced``."""
        record = Record()
        key = self.key.fold_in(self.taken)
        self.taken += 1
        part = None if given is None else given.rows(0, count)
        drawn = draw(self.network, count, key, mask=True, choose=record.choose, given=part)
        with torch.no_grad():
            worth = self.prediction.cost(drawn)
        made = record.log_probabilities
        return _centred(worth, made.sum(0)), self._priced(made, drawn)

    def _priced(self, made: Tensor, drawn: Drawn) -> tuple[Tensor, Tensor]:
        """``[B]`` whose gradient is that of the expected divergence, and the divergence ``[B]``."""
        parts = divergences(self.fitted, drawn, len(made))
        later = to_go(parts.detach())
        return parts.sum(0) + ((later - others(later)) * made).sum(0), parts.sum(0)

    def _compare(self, cost: Tensor, predicted: Tensor) -> None:
        if len(predicted) < 2:
            return
        away = predicted - predicted.mean()
        covariance, variance = float((away * cost).mean()), float((away * predicted).mean())
        self.covariance = MEMORY * self.covariance + (1 - MEMORY) * covariance
        self.variance = MEMORY * self.variance + (1 - MEMORY) * variance

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """The property network learns the batch, and the steered one goes on by what that has learned."""
        gap = None
        if self.teacher is not None:
            labels = batch.values[:, self.prediction.learned]
            gap = self.teacher.follow(batch.drawn.types, batch.drawn.bonds, labels)
        for _ in range(self.updates - 1 if trusted(gap) else 0):
            loss, (priced, _) = self._free(self.batch_size, batch.drawn.given)
            descend(loss + self.price * priced.mean())
        return gap

    def state_dict(self) -> dict[str, Any]:
        """The property network, and what was seen of its covariance with the cost."""
        teacher = {} if self.teacher is None else {"teacher": self.teacher.state_dict()}
        seen = {"taken": self.taken, "covariance": self.covariance, "variance": self.variance}
        return {**seen, **teacher}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.taken = state["taken"]
        self.covariance, self.variance = state["covariance"], state["variance"]
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])


def _centred(cost: Tensor, score: Tensor) -> Tensor:
    """Mean of the log-likelihoods, weighed with each cost less the mean of the other graphs."""
    weighed = (cost - others(cost)) * score
    return weighed.mean() if len(score) else score.sum()
