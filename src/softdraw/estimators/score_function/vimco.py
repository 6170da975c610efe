"""VIMCO: the gradient of a multi-sample bound."""

import math

import torch
from torch import Tensor

from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.score import leave_one_out, score_gradient

__all__ = ["VIMCO"]


@register("vimco")
class VIMCO(Estimator):
    """The bound L = log (1 / S) sum_s exp f(z_s), where f returns log-weights, and the gradient of E[L].

    Each sample's learning signal is L less the bound without it, where the geometric mean of the other
    weights fills its place. The value is L itself, a lower bound on log E[exp f] in expectation (``target``
    is ``"bound"``); the dependence of f on its own parameters, and on the logits where f uses them, goes
    through the graph of L.

    Reference:
        Mnih, Rezende, "Variational Inference for Monte Carlo Objectives", ICML 2016, equations 9 and 10.

    Args:
        samples: S, at least 2; 4 unless given.

    Example:
        >>> import torch, softdraw as sd
        >>> est = sd.estimators.get("vimco", samples=8)
        >>> est.expectation(lambda z: z[..., 0, 0] * 0 - 3.0, torch.zeros(1, 2), key=sd.Key(0))
        tensor(-3.)
    """

    family = "score-function"
    target = "bound"
    unbiased = True
    minimum_samples = 2
    reference = "Mnih, Rezende (2016), eqs. 9 and 10"

    def __init__(self, *, samples: int = 4) -> None:
        super().__init__(samples=samples)

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        z, allowed = draws.one_hot(logits, mask)
        log_weight = call_cost(f, z, caller=self)
        count = math.log(self.samples)
        bound = log_weight.logsumexp(0) - count
        fixed = log_weight.detach()
        # slot s of row s is replaced by the mean log-weight of the others
        own = torch.eye(self.samples, dtype=torch.bool, device=fixed.device)
        own = own.view(self.samples, self.samples, *(1,) * (fixed.dim() - 1))
        replaced = torch.where(own, leave_one_out(fixed).unsqueeze(0), fixed.unsqueeze(1))
        without = replaced.logsumexp(0) - count
        # each sample's own signal is summed, not averaged: the bound is one function of all of them
        signal = (bound.detach() - without) * self.samples
        return attach(bound, logits, score_gradient(signal, z, logits, allowed))
