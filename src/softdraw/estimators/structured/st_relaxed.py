"""Straight-through relaxed: a structure forward, the gradient of the relaxation backward."""

from typing import Any, ClassVar

from torch import Tensor

from softdraw.estimators._core.base import Cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators.straight_through import STGumbelSoftmax
from softdraw.estimators.structured._relaxing import relaxed_cost

__all__ = ["STRelaxed"]


@register("st-relaxed")
class STRelaxed(STGumbelSoftmax):
    """Forward the structure of ``d.relax(tau, hard=True)``, backward through its relaxation, same noise.

    That structure is the most probable one of perturbed parameters. For one categorical it is a draw of the
    law; for k-subsets, trees, matchings and chains it follows another law (perturb-and-MAP) than ``sample``
    does, and the value is E[f] under that one. For logits it is ``st-gumbel-softmax``.

    Reference:
        Paulus, Choi, Tarlow, Krause, Maddison, "Gradient Estimation with Stochastic Softmax Tricks", NeurIPS
        2020, section 3; Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017,
        section 2.2.

    Args:
        tau: temperature of the backward, 1 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(4, requires_grad=True)
        >>> d = sd.distributions.OneHotCategorical(logits=logits)
        >>> value = sd.estimators.get("st-relaxed").expectation(lambda y: y.square().sum(-1), d)
        >>> value.item()
        1.0
    """

    family = "structured"
    default_tau: ClassVar[float | None] = 1.0
    law_needs = ("relax",)
    as_logits = "st-gumbel-softmax"
    reference = "Paulus et al. (2020), section 3"
    remark = "for distributions; logits as `st-gumbel-softmax`"

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        return relaxed_cost(self, f, law, draws, tau, hard=True)
