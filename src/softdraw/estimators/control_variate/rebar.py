"""REBAR: the score function with the relaxed cost as control variate."""

import math
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn

from softdraw.arguments import read_number
from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import allowed_classes, log_probabilities, one_hot, probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.learning import learning, with_slope
from softdraw.estimators._core.registry import register

__all__ = ["REBAR"]

#: stands for -inf in noisy logits: far below any other, and still finite when divided by a temperature
_FORBIDDEN = -1e9


@register("rebar")
class REBAR(Estimator):
    """[f(z) - c(y')] d log p(z) + d c(y) - d c(y'), c the control variate at noisy logits y, and y' ~ y | z.

    y = log p + G, z = argmax y, c(y) = eta f(softmax(y / tau)) + baseline. y' may be any draw of the noisy
    logits given z, so the draw y itself is taken, through its conditional parameterisation. The two pathwise
    terms then share one derivative of c: per entry, d y_i - d y'_i = exp(y_i - max y) d log p_i. That couples
    them tightly and saves an evaluation: two of f for each of S samples, where independent noise takes three.

    ``log_tau``, ``eta`` and ``baseline`` (which starts at 0) are parameters. A backward through
    ``expectation`` leaves in them the gradient of the mean squared norm of the estimate, whose minimum is
    that of the variance, since the mean is fixed.

    Reference:
        Tucker, Mnih, Maddison, Lawson, Sohl-Dickstein, "REBAR: Low-variance, Unbiased Gradient Estimates for
        Discrete Latent Variable Models", NeurIPS 2017, equations 3 to 6 and appendix A (coupled noise).

    Args:
        tau: temperature at the start, > 0; 0.5 unless given.
        eta: scale of the control variate at the start, 1 unless given.
        samples: S, 1 unless given.

    Raises:
        TypeError: an option that is no number, or ``samples`` no int.
        ValueError: a temperature that is not positive, or an f that is not differentiable.

    Example:
        >>> import torch, softdraw as sd
        >>> est, logits = sd.estimators.get("rebar"), torch.zeros(1, 2, requires_grad=True)
        >>> est.expectation(lambda z: (z[..., 0, 0] - 0.45) ** 2, logits, key=sd.Key(0)).backward()
        >>> sorted(name for name, p in est.named_parameters() if p.grad is not None)
        ['baseline', 'eta', 'log_tau']
    """

    family = "control-variate"
    needs: Literal["tensor", "callable", "differentiable callable"] = "differentiable callable"
    unbiased = True
    default_tau: ClassVar[float | None] = 0.5
    reference = "Tucker et al. (2017), eqs. 3 to 6"
    remark = "learns its tau"

    def __init__(self, tau: float | None = None, eta: float = 1.0, *, samples: int = 1) -> None:
        super().__init__(samples=samples)
        start = read_number("tau", self.default_tau if tau is None else tau, above=0.0, below=math.inf)
        scale = read_number("eta", eta, above=-math.inf, below=math.inf)
        self.log_tau = nn.Parameter(torch.tensor(math.log(start)))
        self.eta = nn.Parameter(torch.tensor(scale))
        self.baseline = nn.Parameter(torch.zeros(()))

    @property
    def tau(self) -> Tensor:
        """The temperature of the control variate."""
        return self.log_tau.exp()

    def evaluations(self, variables: int, classes: int) -> int:
        """2 S."""
        del variables, classes
        return 2 * self.samples

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        allowed = allowed_classes(logits.detach(), mask)
        noisy = log_probabilities(logits, allowed) + draws.gumbel(logits)
        noisy = noisy.masked_fill(~allowed, _FORBIDDEN)
        z = one_hot(noisy.argmax(-1), logits.shape[-1], logits.dtype).masked_fill(~allowed, 0.0)
        if not torch.is_grad_enabled():
            return call_cost(f, z, caller=self).mean(0)
        p = probabilities(logits.detach(), allowed)
        parameters = learning(self)

        def costs(noisy: Tensor) -> tuple[Tensor, Tensor]:
            cost, control = self._costs(f, z, noisy, allowed)
            return control, cost

        control, cost, slope = with_slope(costs, noisy, create_graph=bool(parameters))
        path = slope * torch.exp(noisy - noisy.amax(-1, keepdim=True))
        signal = (cost.detach().to(p.dtype) - control.to(p.dtype))[..., None, None]
        score = (z.to(p.dtype) - p).masked_fill(~allowed, 0.0)
        estimate = signal * score + path - p * path.sum(-1, keepdim=True)
        # a row with fewer than two classes has no gradient
        free = allowed & (allowed.sum(-1, keepdim=True) > 1)
        estimate = estimate.mean(0).masked_fill(~free, 0.0)
        own: list[tuple[Tensor, Tensor]] = []
        if parameters:
            loss = estimate.square().sum((-1, -2)).mean()
            grads = torch.autograd.grad(loss, parameters, retain_graph=True, materialize_grads=True)
            own = list(zip(parameters, grads, strict=True))
        return attach(cost.mean(0), logits, estimate, own)

    def _costs(self, f: Cost, z: Tensor, noisy: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        """Costs of the samples ``[S, *batch]`` and the control variate at the noisy logits."""
        soft = (noisy / self.tau.to(noisy.dtype)).softmax(-1).masked_fill(~allowed, 0.0).to(z.dtype)
        cost = call_cost(f, torch.cat([z, soft]), differentiable=True, caller=self)
        hard, relaxed = cost[: self.samples], cost[self.samples :]
        return hard, self.eta.to(relaxed.dtype) * relaxed + self.baseline.to(relaxed.dtype)

    def _options(self) -> dict[str, object]:
        return {"tau": self.tau.detach(), "eta": self.eta.detach(), "samples": self.samples}
