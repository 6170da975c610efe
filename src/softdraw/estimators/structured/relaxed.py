"""Relaxed: the pathwise gradient of the relaxation that a distribution brings."""

from typing import Any, ClassVar

from torch import Tensor

from softdraw.estimators._core.base import Cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators.relaxed import GumbelSoftmax
from softdraw.estimators.structured._relaxing import relaxed_cost

__all__ = ["Relaxed"]


@register("relaxed")
class Relaxed(GumbelSoftmax):
    """y = d.relax(tau), a relaxed draw of the distribution d; the gradient is that of y.

    f sees points between the structures, in the shape that ``relax`` of the distribution has. Value and
    gradient are unbiased for E[f(y)] at this tau (``target`` is ``"relaxed"``). For logits it is
    ``gumbel-softmax``.

    Reference:
        Paulus, Choi, Tarlow, Krause, Maddison, "Gradient Estimation with Stochastic Softmax Tricks", NeurIPS
        2020, section 3.

    Args:
        tau: temperature, 1 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(4, requires_grad=True)
        >>> d = sd.distributions.OneHotCategorical(logits=logits)
        >>> est = sd.estimators.get("relaxed", tau=0.7)
        >>> est.expectation(lambda y: y.square().sum(-1), d, key=sd.Key(0)).backward()
        >>> bool((logits.grad != 0).all())
        True
    """

    family = "structured"
    default_tau: ClassVar[float | None] = 1.0
    law_needs = ("relax",)
    as_logits = "gumbel-softmax"
    reference = "Paulus et al. (2020), section 3"
    remark = "for distributions; logits as `gumbel-softmax`"

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        return relaxed_cost(self, f, law, draws, tau, hard=False)
