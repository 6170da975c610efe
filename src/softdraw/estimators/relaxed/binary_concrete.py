"""Binary Concrete: the relaxed Bernoulli as a pair of classes."""

from typing import ClassVar

import torch
from torch import Tensor

from softdraw.estimators._core.categorical import allowed_classes
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.functional import gumbel_sigmoid

__all__ = ["BinaryConcrete"]


@register("binary-concrete")
class BinaryConcrete(TemperedEstimator):
    """y = (s, 1 - s) with s = sigmoid((logits[..., 0] - logits[..., 1] + L) / tau), L ~ Logistic(0, 1).

    Two classes only. Equal in law to ``gumbel-softmax`` with C = 2 (the difference of two Gumbels is
    logistic) at half the noise.

    Reference:
        Maddison, Mnih, Teh, "The Concrete Distribution", ICLR 2017, section 2.3 and appendix B.

    Args:
        tau: temperature, 0.5 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        ValueError: logits of more or fewer than two classes.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("binary-concrete")(torch.zeros(4, 2), key=sd.Key(0)).sum(-1)
        tensor([1., 1., 1., 1.])
    """

    family = "relaxed"
    target = "relaxed"
    unbiased = True
    binary = True
    default_tau: ClassVar[float | None] = 0.5
    reference = "Maddison, Mnih, Teh (2017), appendix B"

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits, mask)
        both = allowed.all(-1, keepdim=True)
        pair = logits.masked_fill(~both, 0.0)
        # the last dim stays, so that the key counts the same rows as for any other estimator
        difference = pair[..., :1] - pair[..., 1:]
        noise = draws.logistic(difference)
        first = gumbel_sigmoid(difference.expand(noise.shape), tau, noise=noise)
        soft = torch.cat([first, 1.0 - first], -1)
        return torch.where(both, soft, allowed.to(soft.dtype))
