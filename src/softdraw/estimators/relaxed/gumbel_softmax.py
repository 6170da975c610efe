"""Gumbel-Softmax: the pathwise gradient of a soft sample."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator

__all__ = ["GumbelSoftmax"]


@register("gumbel-softmax")
class GumbelSoftmax(TemperedEstimator):
    """y = softmax((logits + G) / tau), G standard Gumbel noise; the gradient is that of the soft sample.

    f sees points inside the simplex. Value and gradient are unbiased for E[f(y)] at this tau (``target`` is
    ``"relaxed"``), which tends to E[f(z)] as tau falls while the variance grows.

    Reference:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, equation 2;
        Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, equation 10.

    Args:
        tau: temperature, 0.5 unless given (the floor that Jang et al. anneal to).
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> y = sd.estimators.get("gumbel-softmax", tau=0.7)(torch.zeros(2, 3), key=sd.Key(0))
        >>> y.shape, bool(torch.allclose(y.sum(-1), torch.ones(2)))
        (torch.Size([2, 3]), True)
    """

    family = "relaxed"
    target = "relaxed"
    unbiased = True
    default_tau: ClassVar[float | None] = 0.5
    reference = "Jang, Gu, Poole (2017), eq. 2; Maddison, Mnih, Teh (2017), eq. 10"

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        return draws.relaxed(logits, tau, hard=False, mask=mask)

    def _binary_sample(
        self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws
    ) -> Tensor:
        # half the noise of two classes
        return draws.binary(logits, tau, hard=False, mask=mask)
