"""What every kind of gradient is: it chooses while a batch is drawn, and gives the loss of that batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.drawn import Drawn
from softdraw.molecules.steering.gradients.property_training import PropertyTraining

__all__ = ["Batch", "DrawsOnly", "Learned", "Learner"]


@dataclass(frozen=True)
class Batch:
    """Molecules of a step, evaluated.

    Attributes:
        drawn: graphs that the network drew: the ``B`` of the batch, or this rank's of them.
        smiles: of the batch; empty where a graph is no molecule.
        values: ``[B, targets]``, NaN where there is no molecule, no value, or no call left.
        known: ``[B]``, whether it was evaluated.
        others: molecules that the learner proposed beside those, evaluated likewise.
        other_values: of them, ``[others, targets]``.
        places: of the graphs of ``drawn`` in the batch; None where it holds all of them.
    """

    drawn: Drawn
    smiles: list[str]
    values: NDArray[np.float64]
    known: NDArray[np.bool_]
    others: list[str]
    other_values: NDArray[np.float64]
    places: NDArray[np.int64] | None = None

    @property
    def own(self) -> NDArray[np.int64]:
        """Places of the graphs of ``drawn`` in the batch."""
        return np.arange(len(self.smiles)) if self.places is None else self.places

    @property
    def own_known(self) -> NDArray[np.bool_]:
        """Of each graph of ``drawn``, whether it was evaluated."""
        found: NDArray[np.bool_] = self.known[self.own]
        return found


@dataclass(frozen=True)
class Learned:
    """What a batch said.

    Attributes:
        loss: to be descended; where ranks share a batch, the sum of what they have here is.
        cost: mean cost of the batch.
        divergence: nats from the fitted network, of each graph of ``Batch.drawn``.
    """

    loss: Tensor
    cost: Tensor
    divergence: Tensor


class Learner(Protocol):
    """One kind of gradient."""

    @property
    def draws(self) -> int | None:
        """How many graphs the network draws for the next batch; None for as many as a batch has."""
        ...

    @property
    def follows(self) -> bool:
        """Whether their draw has to be recorded by autograd."""
        ...

    @property
    def tempered(self) -> bool:
        """Whether draws are relaxed at the temperature of the schedule."""
        ...

    @property
    def teacher(self) -> PropertyTraining | None:
        """The training of its property network, where it has one."""
        ...

    def begin(self) -> Choose:
        """How the decisions of the next batch are made."""
        ...

    def propose(self, smiles: list[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
        """Which of the molecules that were drawn are evaluated, None for all, and which others."""
        ...

    def loss(self, batch: Batch) -> Learned:
        """The loss of the batch that was drawn since ``begin``."""
        ...

    def after(self, batch: Batch, descend: Callable[[Tensor], None]) -> float | None:
        """What it learns once the network has changed; the error of its property network, if it has one."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """All that an exact resume needs."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from ``state_dict``."""
        ...


class DrawsOnly:
    """A learner that evaluates a batch of what the network draws, and nothing else."""

    draws: int | None = None
    follows = True
    teacher: PropertyTraining | None = None

    def propose(self, smiles: list[str]) -> tuple[NDArray[np.int64] | None, list[str]]:
        """All of them."""
        return None, []
