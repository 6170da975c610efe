"""Gapped straight-through: make the sample win by a margin, without noise."""

from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from softdraw.arguments import read_choice, read_number
from softdraw.estimators._core.categorical import (
    allowed_classes,
    compute_dtype,
    one_hot,
    probabilities,
    row_tau,
)
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.kernels.reference import soft_backward
from softdraw.kernels.saved import keep, kept
from softdraw.schedules.base import Schedule

__all__ = ["GappedST"]


class _Gapped(torch.autograd.Function):
    """The one-hot ``drawn`` of ``index``, with the gradient of the softmax of moved logits.

    The moves carry no gradient, but the gradient depends on the logits through them: it is differentiable.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        drawn: Tensor,
        index: Tensor,
        mask: Tensor | None,
        tau: float | Tensor,
        gap: float | Literal["p"],
    ) -> Tensor:
        return drawn.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, _, index, mask, tau, gap = inputs
        keep(ctx, logits, index, mask, tau, gap)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, index, mask, tau, gap = kept(ctx)
        # a row without a winner has NaN or no class, and no gradient
        allowed = allowed_classes(logits, mask) & (index >= 0).unsqueeze(-1)
        moved = _moved(logits, allowed, index, gap)
        p = probabilities(moved, allowed, tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau)
        back = soft_backward(grad.to(p.dtype), p, tau)
        to_tau = None
        if ctx.needs_input_grad[4]:
            slope = -(back * moved.masked_fill(~allowed, 0.0)).sum(-1)
            to_tau = (slope / tau).masked_fill(tau == 0, 0.0)
        if index.dim() == logits.dim():
            back, to_tau = back.sum(0), None if to_tau is None else to_tau.sum(0)
        return back.to(logits.dtype), None, None, None, to_tau, None


def _moved(logits: Tensor, allowed: Tensor, index: Tensor, gap: float | Literal["p"]) -> Tensor:
    """The logits less their row's largest, the winner lifted to 0 and the others lowered to -gap."""
    values = logits.to(compute_dtype(logits.dtype)).masked_fill(~allowed, -torch.inf)
    top = values.amax(-1, keepdim=True)
    # a row without classes is 0 throughout
    values = (values - torch.where(top == -torch.inf, 0.0, top)).masked_fill(~allowed, 0.0)
    chosen = one_hot(index, logits.shape[-1], torch.bool)
    lowered = values - torch.relu(values + (_margin(values, allowed, chosen) if gap == "p" else gap))
    return torch.where(chosen, 0.0, lowered)


def _margin(values: Tensor, allowed: Tensor, chosen: Tensor) -> Tensor:
    p = probabilities(values, allowed)
    win = torch.where(chosen, p, torch.zeros_like(p)).sum(-1, keepdim=True)
    # exact where win rounds to 1
    lose = torch.where(chosen, torch.zeros_like(p), p).sum(-1, keepdim=True)
    tiny = torch.finfo(p.dtype).tiny
    return -lose.clamp_min(tiny).log() / win.clamp_min(tiny)


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
        TypeError: a gap that is no number.
        ValueError: a gap that is neither a number >= 0 nor ``"p"``.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("gapped-st", gap="p")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "straight-through"
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
        if isinstance(gap, str):
            read_choice("gap", gap, ("p",))
        self.gap = gap if isinstance(gap, str) else read_number("gap", gap, least=0.0)

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        drawn, index = draws.hard(logits, mask)
        mask = None if mask is None else mask.expand(logits.shape)
        tau = row_tau(tau, logits)
        return _Gapped.apply(logits, drawn, index, mask, tau, self.gap)  # type: ignore[no-any-return, no-untyped-call]

    def _options(self) -> dict[str, object]:
        return {"tau": self.temperature.held, "gap": self.gap, "samples": self.samples}
