"""Gradients through differentiable one-hots: from the properties back through every choice."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import softdraw.estimators as estimators
from softdraw.molecules.model.divergence import divergence_from
from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.model.network import GraphNetwork
from softdraw.molecules.steering.gradients.learner import Batch, Learned
from softdraw.molecules.steering.gradients.property_training import PropertyTraining
from softdraw.molecules.steering.objectives import Objective
from softdraw.random import Key

__all__ = ["Pathwise"]


class Pathwise:
    """Follows the draws of an estimator through a property network, or through an exact sum over atoms.

    Args:
        fitted: the network that the divergence is taken to.
        objective: the targets.
        symbols: of the atom types.
        estimator: makes the one-hots.
        teacher: the property network; None where every property is a sum over atoms.
        price: of a nat of divergence.
    """

    follows = True
    tempered = True

    def __init__(
        self,
        fitted: GraphNetwork,
        objective: Objective,
        symbols: list[str],
        estimator: estimators.TensorEstimator,
        teacher: PropertyTraining | None,
        price: float,
    ) -> None:
        self.fitted, self.objective, self.estimator = fitted, objective, estimator
        self.teacher, self.price = teacher, price
        records = [target.record for target in objective.targets]
        self.learned = learned_places(objective)
        # what each atom type adds to the properties that are sums over atoms, by the target's place
        self.added = {
            k: torch.tensor([float(record.additive(symbol)) for symbol in symbols])
            for k, record in enumerate(records)
            if record.additive is not None
        }

    def begin(self) -> Choose:
        """One-hots of the estimator."""

        def choose(logits: Tensor, mask: Tensor | None, key: Key) -> Tensor:
            one: Tensor = self.estimator(logits, mask=mask, key=key)
            return one

        return choose

    def loss(self, batch: Batch) -> Learned:
        """The cost of what the property network predicts, and the price of the divergence."""
        divergence = divergence_from(self.fitted, batch.drawn)
        cost = self.objective.cost(self._predict(batch.drawn)).mean()
        return Learned(cost + self.price * divergence.mean(), cost.detach(), divergence.detach())

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """The property network learns the batch."""
        if self.teacher is None:
            return None
        return self.teacher.follow(batch.drawn.types, batch.drawn.bonds, batch.values[:, self.learned])

    def _predict(self, drawn: Drawn) -> Tensor:
        """Properties ``[B, targets]`` with gradients to the draws."""
        predicted = torch.zeros(len(drawn.types), 0)
        if self.teacher is not None:
            predicted = self.teacher.network(drawn.kinds, drawn.orders)
        columns = []
        for k in range(len(self.objective.targets)):
            if k in self.added:
                columns.append((drawn.kinds @ self.added[k]).sum(1))
            else:
                columns.append(predicted[:, self.learned.index(k)])
        return torch.stack(columns, 1)

    def state_dict(self) -> dict[str, Any]:
        """The property network and its optimiser."""
        return {} if self.teacher is None else {"teacher": self.teacher.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        if self.teacher is not None:
            self.teacher.load_state_dict(state["teacher"])


def learned_places(objective: Objective) -> list[int]:
    """Places of the targets whose property only a network can send gradients through."""
    return [k for k, target in enumerate(objective.targets) if target.record.additive is None]
