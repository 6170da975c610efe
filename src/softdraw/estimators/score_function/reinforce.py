"""REINFORCE, with no baseline, a moving average, or a learned one."""

from typing import Any, Literal

import torch
from torch import Tensor, nn

from softdraw.arguments import read_choice, read_number
from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.errors import UnsuitableError
from softdraw.estimators._core.laws import draw
from softdraw.estimators._core.learning import check_may_learn, follow, learning
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.score import law_score, score_gradient

__all__ = ["Reinforce"]


@register("reinforce")
class Reinforce(Estimator):
    """(1 / S) sum_s (f(z_s) - b) d log p(z_s) / d logits.

    Any b that does not depend on z_s leaves the estimate unbiased and changes its variance. The moving
    average is that of the calls before this one. The learned baseline is a tanh layer of 16 units on the
    probabilities, shaped at the first call; the backward leaves in its parameters the gradient of the mean
    squared error (f(z) - b)^2, so one optimiser can train it with everything else.

    Reference:
        Williams, "Simple Statistical Gradient-Following Algorithms for Connectionist Reinforcement Learning",
        1992, equation 5; Mnih, Gregor, "Neural Variational Inference and Learning in Belief Networks", ICML
        2014, section 2.3 (learned baseline).

    Args:
        baseline: ``"moving-average"`` (default), ``"none"`` or ``"learned"``.
        decay: how much of the moving average stays at each call.
        samples: S, 1 unless given.

    Raises:
        TypeError: ``decay`` is no number, or ``samples`` no int.
        ValueError: another baseline, or a decay outside [0, 1).

    Example:
        >>> import torch, softdraw as sd
        >>> est = sd.estimators.get("reinforce")
        >>> for step in range(3):
        ...     value = est.expectation(lambda z: z[..., 0, 0] * 0 + 8.0, torch.zeros(1, 2), key=sd.Key(step))
        >>> est.average
        tensor(8.)
    """

    family = "score-function"
    unbiased = True
    law_needs = ("log_prob",)
    reference = "Williams (1992), eq. 5; Mnih, Gregor (2014), section 2.3"
    average: Tensor
    calls: Tensor

    def __init__(
        self,
        baseline: Literal["moving-average", "none", "learned"] = "moving-average",
        decay: float = 0.9,
        *,
        samples: int = 1,
    ) -> None:
        super().__init__(samples=samples)
        read_choice("baseline", baseline, ("moving-average", "none", "learned"))
        self.baseline = baseline
        self.decay = read_number("decay", decay, least=0.0, below=1.0)
        self.network: nn.Sequential | None = None
        if baseline == "moving-average":
            self.register_buffer("average", torch.zeros(()))
            self.register_buffer("calls", torch.zeros((), dtype=torch.int64))
        elif baseline == "learned":
            self.network = nn.Sequential(nn.LazyLinear(16), nn.Tanh(), nn.Linear(16, 1))

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        z, allowed = draws.one_hot(logits, mask)
        cost = call_cost(f, z, caller=self)
        fixed = cost.detach()
        own: list[tuple[Tensor, Tensor]] = []
        signal = fixed
        if self.network is not None:
            predicted = self._predict(self.network, logits, allowed).to(fixed.dtype)
            signal = fixed - predicted.detach()
            if parameters := learning(self):
                error = (fixed - predicted).square().mean()
                own = list(zip(parameters, torch.autograd.grad(error, parameters), strict=True))
        else:
            signal = self._less_average(fixed)
        return attach(cost.mean(0), logits, score_gradient(signal, z, logits, allowed), own)

    def _of_law(self, f: Cost, law: Any, draws: Draws, tau: Any = None) -> Tensor:
        if self.network is not None:
            raise UnsuitableError(
                "baseline: got 'learned' with a distribution, expected 'moving-average' or 'none': the "
                "learned one reads the probabilities of one-hot logits"
            )
        z = draw(law, draws)
        cost = call_cost(f, z, caller=self, batch=law.batch_shape)
        return law_score(self, cost, self._less_average(cost.detach()), z, law)

    def _less_average(self, cost: Tensor) -> Tensor:
        if self.baseline != "moving-average":
            return cost
        signal = cost - self.average.to(cost.dtype)
        self._remember(cost)
        return signal

    def _predict(self, network: nn.Sequential, logits: Tensor, allowed: Tensor) -> Tensor:
        with torch.enable_grad():
            p = probabilities(logits.detach(), allowed).flatten(-2)
            follow(self, network, p)
            output: Tensor = network(p.to(next(network[2].parameters()).dtype))
            return output.squeeze(-1)

    @torch.no_grad()
    def _remember(self, cost: Tensor) -> None:
        if not self.training:
            return
        check_may_learn(self)
        # the first call sets the average, so that it does not start from an arbitrary zero
        mean = cost.mean().to(self.average.dtype)
        self.average.copy_(torch.where(self.calls == 0, mean, self.average.lerp(mean, 1.0 - self.decay)))
        self.calls.add_(1)

    def _options(self) -> dict[str, object]:
        return {"baseline": self.baseline, "decay": self.decay, "samples": self.samples}
