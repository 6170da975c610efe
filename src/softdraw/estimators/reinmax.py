"""ReinMax: the second-order straight-through estimator."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from softdraw.estimators.categorical import allowed_classes, as_tau, one_hot, probabilities
from softdraw.estimators.draws import Draws
from softdraw.estimators.registry import register
from softdraw.estimators.tempered import TemperedEstimator

__all__ = ["ReinMax"]


class _ReinMax(torch.autograd.Function):
    """Value of ``hard``; gradient 2 J(q) g - J(p) g / 2 with q = (softmax(logits / tau) + hard) / 2."""

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor, hard: Tensor, p: Tensor, tempered: Tensor | None) -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, hard, p, tempered = inputs
        ctx.save_for_backward(hard, p, tempered)
        ctx.dtype = logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        hard, p, tempered = ctx.saved_tensors
        return second_order(upstream, hard, p, tempered).to(ctx.dtype), None, None, None


def second_order(upstream: Tensor, hard: Tensor, p: Tensor, tempered: Tensor | None = None) -> Tensor:
    """2 J(q) g - J(p) g / 2 with q = (tempered + hard) / 2; ``tempered`` is p where None."""
    g, hard = upstream.to(p.dtype), hard.to(p.dtype)
    if tempered is None:
        # the same in fewer passes (ZGR): p (g - g_z) / 2 - z (p . g - g_z) / 2
        pg = p * (g - (hard * g).sum(-1, keepdim=True))
        return 0.5 * (pg - hard * pg.sum(-1, keepdim=True))
    g = g - (p * g).sum(-1, keepdim=True)  # J ignores a constant in g, and this one leaves J(p) g = p g
    q = 0.5 * (tempered + hard)
    return 2.0 * q * (g - (q * g).sum(-1, keepdim=True)) - 0.5 * p * g


@register("reinmax")
class ReinMax(TemperedEstimator):
    """Forward a sample z ~ softmax(logits), backward 2 J(q) g - J(p) g / 2, q = (softmax(logits / tau) + z) /
    2.

    p = softmax(logits), J(p) = diag(p) - p p^T. At tau = 1 it is the trapezoid rule (Heun) along every pair
    of classes, so it is exact for quadratic f, and it equals ZGR, the limit of Gumbel-Rao at temperature 0,
    sample by sample. The temperature smooths the backward only; published settings lie at 1.1 to 1.5, never
    below 1.

    References:
        Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", NeurIPS 2023,
        algorithm 2; Shekhovtsov, "Cold Analysis of Rao-Blackwellized Straight-Through Gumbel-Softmax Gradient
        Estimator", ICML 2023 (ZGR).

    Args:
        tau: temperature of the backward, 1 unless given, where the theory holds.
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> y = sd.estimators.get("reinmax")(logits, key=sd.Key(0))
        >>> (y * torch.tensor([4.0, 0.0])).sum().backward()
        >>> logits.grad
        tensor([[ 1., -1.]])
    """

    default_tau: ClassVar[float | None] = 1.0
    reference = "Liu et al. (2023), algorithm 2; Shekhovtsov (2023)"

    def _sample(self, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        values = logits.detach()
        p = probabilities(values, allowed)
        tau = as_tau(self.tau, logits)
        if isinstance(tau, Tensor):
            tau = tau.detach()
        tempered = None
        if isinstance(tau, Tensor) or tau != 1.0:
            tempered = probabilities(values, allowed, tau)
        index = draws.index(logits, mask)
        hard = one_hot(index, logits.shape[-1], logits.dtype, poison=p[..., 0] * 0)
        if draws.samples is not None:
            p = p.expand(hard.shape)
            tempered = None if tempered is None else tempered.expand(hard.shape)
        return _ReinMax.apply(logits.expand(hard.shape), hard, p, tempered)  # type: ignore[no-any-return, no-untyped-call]
