"""``Support``: what the ``log_prob`` of a law over structures takes, as a constraint of torch."""

from typing import TYPE_CHECKING

from torch import Tensor
from torch.distributions import constraints

if TYPE_CHECKING:
    from softdraw.structured.base import Structured

__all__ = ["Support"]


class Support(constraints.Constraint):
    """The structures of one law."""

    is_discrete = True

    def __init__(self, law: "Structured") -> None:
        self._law = law
        self.event_dim = len(law.event_shape)
        super().__init__()

    def check(self, value: Tensor) -> Tensor:
        """Boolean ``[*batch]``."""
        return self._law._is_structure(value)
