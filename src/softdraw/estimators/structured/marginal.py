"""Marginal: an exact draw forward, the Jacobian of the marginals backward."""

from typing import Any, ClassVar

from torch import Tensor

from softdraw.estimators._core.base import Cost, TensorEstimator, call_cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.laws import draw, law_marginals
from softdraw.estimators._core.registry import register
from softdraw.estimators.straight_through.st import straight_through_sample
from softdraw.functional import straight_through

__all__ = ["Marginal"]


@register("marginal")
class Marginal(TensorEstimator):
    """Forward an exact draw z of the distribution d, backward through ``d.marginals``, E[z].

    The gradient for an upstream g is (d E[z] / d parameters)^T g: exact for linear f, and for a k-subset the
    covariance of z times g. It asks for one evaluation of f, which must have a gradient at the structures
    alone, since f never sees anything else. A distribution without ``marginals`` serves by its ``mean``. For
    logits it is ``st`` at tau = 1.

    Reference:
        Ahmed, Zeng, Niepert, Van den Broeck, "SIMPLE: A Gradient Estimator for k-Subset Sampling", ICLR 2023,
        section 3.

    Args:
        samples: S, how many samples ``expectation`` averages over.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(2, requires_grad=True)
        >>> d = torch.distributions.Bernoulli(logits=logits)
        >>> sd.estimators.get("marginal").expectation(lambda z: 4 * z, d, key=sd.Key(0)).sum().backward()
        >>> logits.grad
        tensor([1., 1.])
    """

    family = "structured"
    default_tau: ClassVar[float | None] = None
    law_needs = ("marginals",)
    as_logits = "st"
    reference = "Ahmed et al. (2023), section 3"
    remark = "for distributions; exact for linear f; logits as `st` at tau 1"

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: None, draws: Draws) -> Tensor:
        return straight_through_sample(logits, mask, 1.0, draws)

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        z = draw(law, draws)
        y = straight_through(z, law_marginals(self, law, z))
        return call_cost(f, y, differentiable=True, caller=self, batch=law.batch_shape).mean(0)
