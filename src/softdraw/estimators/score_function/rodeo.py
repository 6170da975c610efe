"""RODEO: leave-one-out REINFORCE with control variates from a discrete Stein operator."""

import torch
from torch import Tensor, nn

from softdraw.arguments import read_count
from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.learning import follow, learning, with_slope
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.score import leave_one_out

__all__ = ["RODEO"]


@register("rodeo")
class RODEO(Estimator):
    """RLOO whose costs and whose sum carry control variates of mean zero, made without evaluating f again.

    A h = mean over d of E[h(y) | y agrees with z but in variable d] - h(z), the Gibbs operator, has mean zero
    under the law for any h. For sample k the surrogate h_k(y) = mean over j != k of
    H(f(z_j), grad f(z_j) . (y - z_j)), H a small network, does not depend on z_k. The estimate is

        (1/S) sum_k [f(z_k) - mean over j != k of (f(z_j) + alpha (A h_j)(z_j))] grad log p(z_k)
                    + beta (A [h_k grad log p])(z_k).

    alpha and beta start at zero, so it starts as ``rloo``. The backward leaves in ``parameters()`` the
    gradient of the estimate's mean squared norm.

    Reference:
        Shi, Zhou, Hwang, Titsias, Mackey, "Gradient Estimation with Discrete Stein Operators", NeurIPS 2022,
        sections 3 and 4.

    Args:
        samples: S, at least 2; 3 unless given.
        hidden: units of H.

    Raises:
        TypeError: ``hidden`` or ``samples`` is no int.
        ValueError: ``hidden`` below 1, or an f that is not differentiable.

    Example:
        >>> import torch, softdraw as sd
        >>> f, logits, key = lambda z: z[..., 0].sum(-1) ** 3, torch.zeros(3, 2), sd.Key(0)
        >>> a = sd.estimators.get("rodeo", samples=4).expectation(f, logits, key=key)
        >>> b = sd.estimators.get("rloo", samples=4).expectation(f, logits, key=key)
        >>> bool(a == b)
        True
    """

    family = "score-function"
    needs = "differentiable callable"
    unbiased = True
    minimum_samples = 2
    reference = "Shi, Zhou, Hwang, Titsias, Mackey (2022), sections 3 and 4"

    def __init__(self, *, samples: int = 3, hidden: int = 16) -> None:
        super().__init__(samples=samples)
        hidden = read_count("hidden", hidden, 1)
        self.alpha = nn.Parameter(torch.zeros(()))
        self.beta = nn.Parameter(torch.zeros(()))
        self.network = nn.Sequential(nn.Linear(2, hidden), nn.SiLU(), nn.Linear(hidden, 1))

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        z, allowed = draws.one_hot(logits, mask)
        if not torch.is_grad_enabled():
            return call_cost(f, z, caller=self).mean(0)
        p = probabilities(logits.detach(), allowed)
        parameters = learning(self)

        def costs(z: Tensor) -> tuple[Tensor, Tensor]:
            cost = call_cost(f, z, differentiable=True, caller=self)
            return cost, cost

        cost, _, slope = with_slope(costs, z)
        fixed = cost.detach().to(p.dtype)
        z = z.to(p.dtype)
        slope = slope.to(p.dtype).masked_fill(~allowed, 0.0)
        score = (z - p).masked_fill(~allowed, 0.0)
        operator, vector = self._stein(fixed, z, slope, p, score)
        baseline = leave_one_out(fixed + self.alpha.to(p.dtype) * operator)
        signal = (fixed - baseline)[..., None, None]
        estimate = (signal * score + self.beta.to(p.dtype) * vector).mean(0)
        own: list[tuple[Tensor, Tensor]] = []
        if parameters:
            loss = estimate.square().sum((-1, -2)).mean()
            own = list(zip(parameters, torch.autograd.grad(loss, parameters), strict=True))
        return attach(cost.mean(0), logits, estimate, own)

    def _stein(
        self, cost: Tensor, z: Tensor, slope: Tensor, p: Tensor, score: Tensor
    ) -> tuple[Tensor, Tensor]:
        """(A h_k)(z_k) as ``[S, *batch]`` and (A [h_k grad log p])(z_k) as ``[S, *batch, D, C]``."""
        count, variables = z.shape[0], z.shape[-2]
        # grad f(z_j) . (z_k - z_j), and what it gains when variable d of z_k becomes class c: [k, j, ...]
        along = (slope.unsqueeze(0) * (z.unsqueeze(1) - z.unsqueeze(0))).sum((-1, -2))
        gain = slope.unsqueeze(0) - (slope.unsqueeze(0) * z.unsqueeze(1)).sum(-1, keepdim=True)
        here = self._surrogate(cost.unsqueeze(0).expand(along.shape), along)
        moved = along[..., None, None] + gain
        there = self._surrogate(cost.unsqueeze(0)[..., None, None].expand(moved.shape), moved)
        own = torch.eye(count, dtype=torch.bool, device=z.device)
        own = own.view(count, count, *(1,) * (along.dim() - 2))
        here = here.masked_fill(own, 0.0).sum(1) / (count - 1)
        there = there.masked_fill(own[..., None, None], 0.0).sum(1) / (count - 1)
        weighted = p * there
        by_variable = weighted.sum(-1)
        # a variable without classes cannot change: its conditional mean is h itself
        by_variable = torch.where(p.sum(-1) > 0, by_variable, here.unsqueeze(-1))
        operator = by_variable.mean(-1) - here
        # grad log p of a neighbour differs from z - p in the one variable that changed
        vector = (
            operator[..., None, None] * score + (weighted - z * weighted.sum(-1, keepdim=True)) / variables
        )
        return operator, vector

    def _surrogate(self, cost: Tensor, along: Tensor) -> Tensor:
        weight = self.network[0].weight
        follow(self, self.network, cost)
        features = torch.stack([cost, along], -1).to(weight.dtype)  # type: ignore[arg-type]
        output: Tensor = self.network(features).squeeze(-1)
        return output.to(cost.dtype)

    def _options(self) -> dict[str, object]:
        return {"samples": self.samples}
