"""ARM: one uniform, two mirrored Bernoulli samples."""

import torch
from torch import Tensor

from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, compute_dtype
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register

__all__ = ["ARM"]


@register("arm")
class ARM(Estimator):
    """(f(1[u > sigmoid(-phi)]) - f(1[u < sigmoid(phi)])) (u - 1/2), phi = logits[..., 0] - logits[..., 1].

    u is uniform; both vectors are samples of the law, mirrored at u = 1/2, and are pairs of classes whose
    class 0 is the event. Binary only, two evaluations of f for each of S uniforms.

    Reference:
        Yin, Zhou, "ARM: Augment-REINFORCE-Merge Gradient for Stochastic Binary Networks", ICLR 2019,
        theorem 1.

    Args:
        samples: S, how many pairs, 1 unless given.

    Raises:
        ValueError: logits of more or fewer than two classes.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("arm").expectation(lambda z: z[..., 0].sum(-1), torch.zeros(3, 2)).shape
        torch.Size([])
    """

    family = "score-function"
    unbiased = True
    binary = True
    reference = "Yin, Zhou (2019), theorem 1"

    def evaluations(self, variables: int, classes: int) -> int:
        """2 S."""
        del variables, classes
        return 2 * self.samples

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits.detach(), mask)
        values = logits.detach().to(compute_dtype(logits.dtype))
        both = allowed.all(-1)
        values = values.masked_fill(~both.unsqueeze(-1), 0.0)
        phi = values[..., 0] - values[..., 1]
        # u is compared and used as its logit, which stays exact in both tails
        logit_u = draws.logistic(phi.unsqueeze(-1)).squeeze(-1)
        first, second = logit_u > -phi, logit_u < phi
        z = torch.cat([_pair(b, allowed, both, logits.dtype) for b in (first, second)])
        cost = call_cost(f, z, caller=self)
        f_first, f_second = cost.detach().to(phi.dtype).reshape(2, self.samples, *cost.shape[1:])
        slope = (f_first - f_second).unsqueeze(-1) * self._weight(first, second, logit_u, phi)
        slope = slope.mean(0).masked_fill(~both, 0.0)
        return attach(cost.mean(0), logits, torch.stack([slope, -slope], -1))

    def _weight(self, first: Tensor, second: Tensor, logit_u: Tensor, phi: Tensor) -> Tensor:
        del first, second, phi
        return 0.5 * torch.tanh(0.5 * logit_u)  # u - 1/2


def _pair(event: Tensor, allowed: Tensor, both: Tensor, dtype: torch.dtype) -> Tensor:
    """Two classes from an event; where only one is allowed, that one, and zeros where none is."""
    return torch.where(both.unsqueeze(-1), torch.stack([event, ~event], -1), allowed).to(dtype)
