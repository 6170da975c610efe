"""ReinMax-Rao: ReinMax with its first term Rao-Blackwellised."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.categorical import row_tau
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators.straight_through.gumbel_rao import GumbelRao
from softdraw.kernels import estimator_draws

__all__ = ["ReinMaxRao"]


@register("reinmax-rao")
class ReinMaxRao(GumbelRao):
    """Forward a sample z, backward 2 M g - J(p) g / 2, M the Gumbel-Rao Jacobian at logits log((p + z) / 2).

    M is the mean over K draws of G given argmax(log((p + z) / 2) + G) = z of J(y) / tau with
    y = softmax((log((p + z) / 2) + G) / tau); ``reinmax`` has J((p + z) / 2) in its place.

    Reference:
        Wang, Bui, "Beyond ReinMax: Low-Variance Gradient Estimators for Discrete Latent Variables", 2026
        (arXiv:2603.08257).

    Args:
        tau: temperature of M, > 0; 0.7 unless given. It gets no gradient itself.
        draws: K, 32 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule, or ``draws`` no int.
        ValueError: a temperature that is not positive, or ``draws`` below 1.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("reinmax-rao")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "straight-through"
    default_tau: ClassVar[float | None] = 0.7
    default_draws: ClassVar[int] = 32
    reference = "Wang, Bui (2026), arXiv:2603.08257"
    remark = ""

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        fused = draws.fused(logits, mask, tau)
        if fused is not None:
            first, later = draws.numbers(logits), draws.numbers(logits, 1)
            return estimator_draws.rao(*fused, first, draws.samples, later, self.draws, reinmax=True)
        drawn, index = draws.hard(logits, mask)
        mask = None if mask is None else mask.expand(logits.shape)
        tau, state = row_tau(tau, logits), draws.key.fold_in(1).state
        return estimator_draws.rao_given(drawn, index, logits, mask, tau, state, self.draws, reinmax=True)
