"""ReinMax: the second-order straight-through estimator."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.categorical import row_tau
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.kernels import estimator_draws

__all__ = ["ReinMax"]


@register("reinmax")
class ReinMax(TemperedEstimator):
    """Forward a sample z ~ softmax(logits), backward 2 J(q) g - J(p) g / 2.

    q = (softmax(logits / tau) + z) / 2, p = softmax(logits), J(p) = diag(p) - p p^T. At tau = 1 it is the
    trapezoid rule (Heun) along every pair of classes, so it is exact for quadratic f, and it equals ZGR, the
    limit of Gumbel-Rao at temperature 0, sample by sample. The temperature smooths the backward only;
    published settings lie at 1.1 to 1.5, never below 1.

    Reference:
        Liu et al., "Bridging Discrete and Backpropagation: Straight-Through and Beyond", NeurIPS 2023,
        algorithm 2; Shekhovtsov, "Cold Analysis of Rao-Blackwellized Straight-Through Gumbel-Softmax Gradient
        Estimator", ICML 2023 (ZGR).

    Args:
        tau: temperature of the backward, 1 unless given, where the theory holds. It gets no gradient itself.
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> y = sd.estimators.get("reinmax")(logits, key=sd.Key(0))
        >>> (y * torch.tensor([4.0, 0.0])).sum().backward()
        >>> logits.grad
        tensor([[ 1., -1.]])
    """

    family = "straight-through"
    default_tau: ClassVar[float | None] = 1.0
    reference = "Liu et al. (2023), algorithm 2; Shekhovtsov (2023)"
    remark = "exact for quadratic f at tau 1"

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        fused = draws.fused(logits, mask, tau)
        if fused is not None:
            return estimator_draws.reinmax(*fused, *draws.numbers(logits), draws.samples)
        drawn, index = draws.hard(logits, mask)
        mask = None if mask is None else mask.expand(logits.shape)
        return estimator_draws.reinmax_given(drawn, index, logits, mask, row_tau(tau, logits))
