"""Gapped straight-through: make the sample win by a margin, without noise."""

from typing import ClassVar, Literal

import torch
from torch import Tensor

from softdraw.estimators._core.categorical import (
    allowed_classes,
    as_tau,
    compute_dtype,
    one_hot,
    probabilities,
)
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.functional import straight_through
from softdraw.schedules.base import Schedule

__all__ = ["GappedST"]


@register("gapped-st")
class GappedST(TemperedEstimator):
    """Forward a sample z, backward through softmax(m / tau) of logits moved until z leads by a gap.

    m_z is lifted to the row's largest logit, and every other class is lowered to at most that less ``gap``:
    m_j = logits_j - relu(logits_j - max + gap). The moves carry no gradient. What ST Gumbel-Softmax gets from
    noise conditioned on z, in one deterministic step.

    Reference:
        Fan, Chi, Rudnicky, Ramadge, "Training Discrete Deep Generative Models via Gapped Straight-Through
        Estimator", ICML 2022.

    Args:
        tau: temperature of the backward, 1 unless given; published searches settled on 0.5 to 1.
        gap: the margin, 1 unless given, or ``"p"`` for -log(1 - p_z) / p_z.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        ValueError: a gap that is neither a float >= 0 nor ``"p"``.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("gapped-st", gap="p")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    default_tau: ClassVar[float | None] = 1.0
    reference = "Fan, Chi, Rudnicky, Ramadge (2022), section 4"

    def __init__(
        self,
        tau: float | Tensor | Schedule | None = None,
        gap: float | Literal["p"] = 1.0,
        *,
        samples: int = 1,
    ) -> None:
        super().__init__(tau, samples=samples)
        if gap != "p" and not (isinstance(gap, int | float) and gap >= 0.0):
            raise ValueError(f"gap={gap!r}: expected a float >= 0 or 'p'")
        self.gap = gap

    def _sample(self, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        index = draws.index(logits, mask)
        values = logits.detach().to(compute_dtype(logits.dtype)).masked_fill(~allowed, -torch.inf)
        top = values.amax(-1, keepdim=True)
        chosen = one_hot(index, logits.shape[-1], torch.bool)
        others = allowed & ~chosen
        lowered = torch.relu(values - top + self._margin(values, allowed, chosen))
        # a class that is not allowed has -inf - (-inf) here, so the moves are picked, never multiplied
        move = torch.where(chosen, top - values, torch.where(others, -lowered, torch.zeros_like(values)))
        soft = probabilities(logits + move, allowed.expand(move.shape), as_tau(self.tau, logits))
        hard = one_hot(index, logits.shape[-1], logits.dtype, poison=soft.detach()[..., 0] * 0)
        return straight_through(hard, soft.to(logits.dtype))

    def _margin(self, values: Tensor, allowed: Tensor, chosen: Tensor) -> float | Tensor:
        if self.gap != "p":
            return self.gap
        p = probabilities(values, allowed)
        win = torch.where(chosen, p, torch.zeros_like(p)).sum(-1, keepdim=True)
        lose = torch.where(chosen, torch.zeros_like(p), p).sum(
            -1, keepdim=True
        )  # exact where win rounds to 1
        tiny = torch.finfo(p.dtype).tiny
        return -lose.clamp_min(tiny).log() / win.clamp_min(tiny)

    def _options(self) -> dict[str, object]:
        return {"tau": self.tau, "gap": self.gap, "samples": self.samples}
