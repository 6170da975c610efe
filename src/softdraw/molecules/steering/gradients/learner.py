"""What every kind of gradient is: it chooses while a batch is drawn, and gives the loss of that batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.model.drawing import Choose
from softdraw.molecules.model.drawn import Drawn

__all__ = ["Batch", "Learned", "Learner"]


@dataclass(frozen=True)
class Batch:
    """Molecules of a step, evaluated.

    Attributes:
        drawn: the ``B`` graphs that the network drew.
        smiles: of those; empty where a graph is no molecule.
        values: ``[B, targets]``, NaN where there is no molecule, no value, or no call left.
        known: ``[B]``, whether it was evaluated.
    """

    drawn: Drawn
    smiles: list[str]
    values: NDArray[np.float64]
    known: NDArray[np.bool_]


@dataclass(frozen=True)
class Learned:
    """What a batch said.

    Attributes:
        loss: to be descended.
        cost: mean cost of the batch.
        divergence: ``[B]`` nats from the fitted network.
    """

    loss: Tensor
    cost: Tensor
    divergence: Tensor


class Learner(Protocol):
    """One kind of gradient.

    Attributes:
        follows: whether the draw itself has to be recorded by autograd.
        tempered: whether its draws are relaxed at the temperature of the schedule.
    """

    follows: bool
    tempered: bool

    def begin(self) -> Choose:
        """How the decisions of the next batch are made."""
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
