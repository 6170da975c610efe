"""The unordered-set estimator: REINFORCE on distinct samples, order averaged out."""

import torch
from torch import Tensor

from softdraw.arguments import wrong_value
from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, log_probabilities, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.without_replacement import inclusion_weights, sample_states

__all__ = ["UnorderedSet"]

_LARGEST = 12


@register("unordered-set")
class UnorderedSet(Estimator):
    """sum over s in S of grad p(s) R(S, s) (f(s) - sum over s' of p(s') R(S without s, s') f(s')).

    S is a set of k distinct joint states of all D variables, drawn without replacement; R(S, s) is the
    leave-one-out ratio P(S without s, in a world without s) / P(S). The inner sum is a built-in baseline.
    Rao-Blackwellised over the order of the draw, and exact once k is the number of states, where k is capped.

    Reference:
        Kool, van Hoof, Welling, "Estimating Gradients for Discrete Random Variables by Sampling without
        Replacement", ICLR 2020, equations 10 and 15.

    Args:
        samples: k, from 2 to 12; 4 unless given. The work besides f grows as k 2^k.

    Raises:
        TypeError: k is no int.
        ValueError: k outside 2 to 12.

    Example:
        >>> import torch, softdraw as sd
        >>> est = sd.estimators.get("unordered-set", samples=8)
        >>> est.evaluations(variables=2, classes=2)
        4
        >>> est.expectation(lambda z: 4 * z[..., 0].prod(-1), torch.zeros(2, 2), key=sd.Key(0))
        tensor(1.)
    """

    family = "score-function"
    unbiased = True
    minimum_samples = 2
    reference = "Kool, van Hoof, Welling (2020), eqs. 10 and 15"
    remark = "exact when S reaches C^D"

    def __init__(self, *, samples: int = 4) -> None:
        super().__init__(samples=samples)
        if samples > _LARGEST:
            raise wrong_value("samples", samples, f"at most {_LARGEST}: the work grows as 2^k")

    def evaluations(self, variables: int, classes: int) -> int:
        """min(S, C^D)."""
        states: int = int(classes) ** int(variables)
        return min(self.samples, states)

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits.detach(), mask)
        log_p = log_probabilities(logits.double(), allowed)
        # A row without classes has one state, the zero vector; class 0 stands for it until z is made.
        empty = ~allowed.any(-1, keepdim=True)
        first = torch.arange(logits.shape[-1], device=logits.device) == 0
        log_p = torch.where(empty & first, torch.zeros_like(log_p), log_p)
        chosen, log_w = sample_states(log_p, draws.gumbel(logits))
        missing = log_w == -torch.inf
        # slots without a state repeat the first one, so that f sees nothing forbidden; their weight is 0
        chosen = torch.where(missing.unsqueeze(-1), chosen[:1], chosen)
        z = one_hot(chosen, logits.shape[-1], logits.dtype).masked_fill(~allowed, 0.0)
        weight, baseline = inclusion_weights(log_w)
        cost = call_cost(f, z, caller=self)
        fixed = cost.detach().double()
        signal = weight * (fixed - (baseline * fixed).sum(1))
        p = probabilities(logits.detach().double(), allowed)
        score = (z.double() - p).masked_fill(~allowed, 0.0)
        gradient = (signal[..., None, None] * score).sum(0)
        value = (weight.to(cost.dtype) * cost).sum(0)
        return attach(value, logits, gradient.to(logits.dtype))
