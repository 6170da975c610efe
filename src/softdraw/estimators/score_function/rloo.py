"""RLOO: REINFORCE where each sample's baseline is the mean of the others."""

from typing import Any

from torch import Tensor

from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.laws import draw
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.score import law_score, leave_one_out, score_gradient

__all__ = ["RLOO"]


@register("rloo")
class RLOO(Estimator):
    """(1 / S) sum_s (f(z_s) - mean of the other costs) d log p(z_s) / d logits.

    The baseline does not depend on z_s, so the estimate is unbiased; f may be a black box.

    Reference:
        Kool, van Hoof, Welling, "Buy 4 REINFORCE Samples, Get a Baseline for Free!", 2019, equation 7;
        Salimans, Knowles, "On Using Control Variates with Stochastic Approximation", 2014.

    Args:
        samples: S, at least 2; 4 unless given.

    Example:
        >>> import torch, softdraw as sd
        >>> logits = torch.zeros(1, 3, requires_grad=True)
        >>> value = sd.estimators.get("rloo").expectation(lambda z: 5 + 0 * z[..., 0, 0], logits)
        >>> value.backward()
        >>> value.item(), logits.grad.abs().sum().item()
        (5.0, 0.0)
    """

    family = "score-function"
    unbiased = True
    minimum_samples = 2
    law_needs = ("log_prob",)
    reference = "Kool, van Hoof, Welling (2019), eq. 7"

    def __init__(self, *, samples: int = 4) -> None:
        super().__init__(samples=samples)

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        z, allowed = draws.one_hot(logits, mask)
        cost = call_cost(f, z, caller=self)
        signal = cost.detach() - leave_one_out(cost.detach())
        return attach(cost.mean(0), logits, score_gradient(signal, z, logits, allowed))

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        z = draw(law, draws)
        cost = call_cost(f, z, caller=self, batch=law.batch_shape)
        return law_score(self, cost, cost.detach() - leave_one_out(cost.detach()), z, law)
