"""Gradients through differentiable one-hots: from the properties back through every choice.

An update needs a draw, and no evaluation: the property network says what the molecules are worth. So there
can be several for a batch of evaluations, as long as the network is right about what is drawn.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import softdraw.estimators as estimators
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import Choose, draw
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.runtime.ranks import ALONE, Ranks
from softdraw.molecules.steering.gradients.learner import Batch, DrawsOnly, Learned
from softdraw.molecules.steering.gradients.prediction import Prediction, trusted
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["Pathwise"]


class Pathwise(DrawsOnly):
    """Follows the draws of an estimator through a property network, or through an exact sum over atoms.

    Args:
        fitted: the network that the divergence is taken to.
        objective: the targets.
        symbols: of the atom types.
        estimator: makes the one-hots.
        teacher: the property network; None where every property is a sum over atoms.
        price: of a nat of divergence.
        network: that is steered.
        updates: of it for each batch of evaluations. Those beyond the first are on fresh draws, and are left
            out while the property network is not ``trusted``.
        batch_size: graphs of a fresh draw.
        key: of the fresh draws.
        ranks: that share every draw; all of them teach the property network what all drew.
    """

    tempered = True

    def __init__(
        self,
        fitted: GraphNetwork,
        objective: Objective,
        symbols: list[str],
        estimator: estimators.TensorEstimator,
        teacher: PropertyTraining | None,
        price: float,
        *,
        network: GraphNetwork,
        updates: int,
        batch_size: int,
        key: Key,
        ranks: Ranks = ALONE,
    ) -> None:
        self.fitted, self.estimator = fitted, estimator
        self.teacher, self.price = teacher, price
        self.prediction = Prediction(objective, symbols, teacher)
        self.network, self.updates, self.batch_size, self.key = network, updates, batch_size, key
        self.ranks, self.fresh = ranks, 0

    def begin(self) -> Choose:
        """One-hots of the estimator."""

        def choose(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
            one: Tensor = self.estimator(logits, mask=mask, key=key)
            return one

        return choose

    def loss(self, batch: Batch) -> Learned:
        """The cost of what the property network predicts, and the price of the divergence."""
        return self._loss(batch.drawn, len(batch.smiles))

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """The property network learns the batch, and the steered one goes on by what that has learned."""
        gap = None
        if self.teacher is not None:
            found = self.ranks.gather((batch.drawn.types, batch.drawn.bonds))
            types, bonds = (torch.cat(every) for every in zip(*found, strict=True))
            gap = self.teacher.follow(types, bonds, batch.values[:, self.prediction.learned])
            # the same on all ranks, also where their arithmetic differs in the last digit
            gap = self.ranks.gather(gap)[0]
        for _ in range(self.updates - 1 if trusted(gap) else 0):
            key = self.key.fold_in(self.fresh)
            self.fresh += 1
            part, share = batch.drawn.given, self.ranks.share(self.batch_size)
            key = key.rows(share.start)
            drawn = draw(self.network, len(share), key, mask=True, choose=self.begin(), given=part)
            descend(self._loss(drawn, self.batch_size).loss)
        return gap

    def _loss(self, drawn: Drawn, count: int) -> Learned:
        """What this rank adds to the loss of ``count`` graphs."""
        divergence = divergence_from(self.fitted, drawn)
        cost = self.prediction.cost(drawn)
        loss = (cost + self.price * divergence).sum() / count
        return Learned(loss, torch.tensor(self.ranks.mean(cost)), divergence.detach())

    def state_dict(self) -> dict[str, Any]:
        """The property network and its optimiser, and how many fresh draws were made."""
        teacher = {} if self.teacher is None else {"teacher": self.teacher.state_dict()}
        return {"fresh": self.fresh, **teacher}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        self.fresh = state["fresh"]
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])
