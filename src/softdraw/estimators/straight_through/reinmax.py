"""ReinMax: the second-order straight-through estimator."""

from typing import Any, ClassVar

import torch
from torch import Tensor

from softdraw.estimators._core.categorical import as_tau, compute_dtype, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.kernels import autograd
from softdraw.kernels.estimator_gradients import reinmax_gradient

__all__ = ["ReinMax"]


class _ReinMax(torch.autograd.Function):
    """The one-hot z of ``index``; gradient 2 J(q) g - J(p) g / 2 with q = (softmax(logits / tau) + z) / 2."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor, index: Tensor, poison: Tensor | None, mask: Tensor | None, tau: float | Tensor
    ) -> Tensor:
        classes = logits.shape[-1]
        if poison is not None:
            return one_hot(index, classes, logits.dtype, poison=poison)
        zeros = torch.zeros((*index.shape, classes), dtype=logits.dtype, device=logits.device)
        return zeros.scatter_(-1, index.unsqueeze(-1), 1.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, index, poison, mask, tau = inputs
        ctx.all_drawn = poison is None
        ctx.plain = None if isinstance(tau, Tensor) else tau
        ctx.save_for_backward(logits, index, mask, tau if isinstance(tau, Tensor) else None)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, index, mask, tau = ctx.saved_tensors
        tau = ctx.plain if tau is None else tau
        values = logits.detach().to(compute_dtype(logits.dtype))
        if mask is not None:
            values = values.masked_fill(~mask, -torch.inf)
        p = values.softmax(-1)
        tempered = None
        if isinstance(tau, Tensor) or tau != 1.0:
            tempered = probabilities(values, values != -torch.inf, tau)
        place = index if ctx.all_drawn else index.clamp_min(0)
        grad = reinmax_gradient(upstream.to(p.dtype), place.unsqueeze(-1), p, tempered)
        if not ctx.all_drawn:
            # rows that were not drawn have no class, or NaN
            grad = grad.masked_fill_((index < 0).unsqueeze(-1), 0.0)
        return grad.to(logits.dtype), None, None, None, None


@register("reinmax")
class ReinMax(TemperedEstimator):
    """Forward a sample z ~ softmax(logits), backward 2 J(q) g - J(p) g / 2, q = (softmax(logits / tau) + z) /
    2.

    p = softmax(logits), J(p) = diag(p) - p p^T. At tau = 1 it is the trapezoid rule (Heun) along every pair
    of classes, so it is exact for quadratic f, and it equals ZGR, the limit of Gumbel-Rao at temperature 0,
    sample by sample. The temperature smooths the backward only; published settings lie at 1.1 to 1.5, never
    below 1.

    Reference:
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
        fused = draws.fused(logits, mask, self.tau)
        if fused is not None:
            return autograd.reinmax(*fused, *draws.numbers(logits), draws.samples)
        index, poison = draws.checked_index(logits, mask)
        shape = (*index.shape, logits.shape[-1])
        tau = as_tau(self.tau, logits)
        if isinstance(tau, Tensor):
            tau = tau.detach()
        if mask is not None:
            mask = mask.expand(shape)
        if poison is not None:
            poison = poison.expand(index.shape)
        return _ReinMax.apply(logits.expand(shape), index, poison, mask, tau)  # type: ignore[no-any-return, no-untyped-call]
