"""Straight-through Gumbel-Softmax: a hard sample forward, the soft sample's gradient backward."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator

__all__ = ["STGumbelSoftmax"]


@register("st-gumbel-softmax")
class STGumbelSoftmax(TemperedEstimator):
    """Forward argmax(logits + G) as a one-hot, backward through softmax((logits + G) / tau), same noise G.

    The gradient for an upstream g is J(y) g / tau at the soft sample y. Its bias is O(tau) for linear f and
    does not vanish with tau in general; its variance grows as tau falls.

    Reference:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, section 2.2.

    Args:
        tau: temperature of the backward, 0.5 unless given; published searches settled on 0.3 to 0.7.
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("st-gumbel-softmax")(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "straight-through"
    default_tau: ClassVar[float | None] = 0.5
    reference = "Jang, Gu, Poole (2017), section 2.2"

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        return draws.relaxed(logits, tau, hard=True, mask=mask)

    def _binary_sample(
        self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws
    ) -> Tensor:
        # half the noise of two classes
        return draws.binary(logits, tau, hard=True, mask=mask)
