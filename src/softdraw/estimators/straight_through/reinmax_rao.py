"""ReinMax-Rao: ReinMax with its first term Rao-Blackwellised."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.categorical import allowed_classes, as_tau, probabilities
from softdraw.estimators._core.conditional import averaged_jacobian
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators.straight_through.gumbel_rao import GumbelRao
from softdraw.kernels import autograd

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
        tau: temperature of M, > 0; 0.7 unless given.
        draws: K, 32 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        ValueError: a temperature that is not positive, or ``draws`` below 1.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("reinmax-rao")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    default_tau: ClassVar[float | None] = 0.7
    default_draws: ClassVar[int] = 32
    reference = "Wang, Bui (2026), arXiv:2603.08257"

    def _sample(self, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        fused = draws.fused(logits, mask, self.tau)
        if fused is not None:
            first, later = draws.numbers(logits), draws.numbers(logits, 1)
            return autograd.rao(*fused, first, draws.samples, later, self.draws, reinmax=True)
        allowed = allowed_classes(logits, mask)
        p = probabilities(logits.detach(), allowed)
        hard, index = draws.hard(logits, mask)
        tau = as_tau(self.tau, logits)
        return averaged_jacobian(
            logits.expand(hard.shape),
            hard,
            0.5 * (p + hard.to(p.dtype)),
            index,
            tau=tau.detach() if isinstance(tau, Tensor) else tau,
            key=draws.later(),
            draws=self.draws,
            lead=len(draws.shape),
            p=p.expand(hard.shape),
        )
