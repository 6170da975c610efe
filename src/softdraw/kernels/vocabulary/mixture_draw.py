"""``Draw``: what a mixture of a vocabulary's embeddings is asked to be."""

from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["Draw"]


class Draw(NamedTuple):
    """What both directions have in common.

    Attributes:
        estimator: ``"st-gumbel-softmax"`` (soft samples are its relaxation), ``"st"``, ``"reinmax"``,
            ``"entropy-weighted"``, or ``"none"`` for no noise: the best class, or the mean.
        hard: whether the result is the winner's embedding (with ``"entropy-weighted"`` partly).
        tau: the temperature of every row, for all rows without ``row_tau``.
        row_tau: ``[rows]`` or None.
        key: seed and offset.
        class_start: the number of the first class.
    """

    estimator: str
    hard: bool
    tau: float
    row_tau: Tensor | None
    key: tuple[int, int]
    class_start: int

    @property
    def noisy(self) -> bool:
        """Whether the weights are those of the perturbed logits."""
        return self.estimator == "st-gumbel-softmax"

    @property
    def quiet(self) -> bool:
        """Whether there is no noise at all."""
        return self.estimator == "none"

    @property
    def second(self) -> bool:
        """Whether the gradient needs a softmax at temperature 1 beside the one at tau."""
        return self.estimator == "reinmax" and (self.row_tau is not None or self.tau != 1.0)

    @property
    def picks(self) -> bool:
        """Whether the result is the winner's embedding alone."""
        return self.hard and self.estimator != "entropy-weighted"

    def taus(self, rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The temperatures ``[rows]``."""
        if self.row_tau is None:
            return torch.full((rows,), self.tau, dtype=dtype, device=device)
        return self.row_tau.to(dtype).contiguous()

    def key_at(self, row: int) -> tuple[int, int]:
        """The key whose first row is ``row``."""
        return self.key[0], self.key[1] + row
