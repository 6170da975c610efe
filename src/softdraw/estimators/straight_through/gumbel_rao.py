"""Gumbel-Rao: ST Gumbel-Softmax with the noise averaged out given the sample."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from softdraw.arguments import read_count
from softdraw.estimators._core.categorical import row_tau
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.kernels import estimator_draws
from softdraw.schedules.base import Schedule

__all__ = ["GumbelRao"]


@register("gumbel-rao")
class GumbelRao(TemperedEstimator):
    """Forward a sample z, backward the mean over K draws of G given argmax(logits + G) = z of J(y) g / tau.

    y = softmax((logits + G) / tau). Same mean as ``st-gumbel-softmax`` and never more variance, since
    the noise that does not change z is integrated out (Rao-Blackwell); K = 1 is ``st-gumbel-softmax`` in law.
    The conditional noise carries no gradient. As tau falls it tends to ``reinmax`` at tau = 1.

    Reference:
        Paulus, Maddison, Krause, "Rao-Blackwellizing the Straight-Through Gumbel-Softmax Gradient Estimator",
        ICLR 2021, equations 6 and 9.

    Args:
        tau: temperature of the backward, > 0; 0.5 unless given. It gets no gradient itself.
        draws: K, 100 unless given. Time grows with it, memory does not.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule, or ``draws`` no int.
        ValueError: a temperature that is not positive, or ``draws`` below 1.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("gumbel-rao", draws=10)(torch.zeros(2, 3), key=sd.Key(0)).sum(-1)
        tensor([1., 1.])
    """

    family = "straight-through"
    default_tau: ClassVar[float | None] = 0.5
    default_draws: ClassVar[int] = 100
    above_zero: ClassVar[Mapping[str, str]] = {
        "tau": "a temperature > 0; the limit at 0 is the estimator 'reinmax'"
    }
    reference = "Paulus, Maddison, Krause (2021), eqs. 6 and 9"
    remark = "mean as `st-gumbel-softmax`"

    def __init__(
        self, tau: float | Tensor | Schedule | None = None, draws: int | None = None, *, samples: int = 1
    ) -> None:
        super().__init__(tau, samples=samples)
        self.draws = read_count("draws", self.default_draws if draws is None else draws, 1)

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        fused = draws.fused(logits, mask, tau)
        if fused is not None:
            first, later = draws.numbers(logits), draws.numbers(logits, 1)
            return estimator_draws.rao(*fused, first, draws.samples, later, self.draws, reinmax=False)
        drawn, index = draws.hard(logits, mask)
        mask = None if mask is None else mask.expand(logits.shape)
        tau, state = row_tau(tau, logits), draws.key.fold_in(1).state
        return estimator_draws.rao_given(drawn, index, logits, mask, tau, state, self.draws, reinmax=False)

    def _options(self) -> dict[str, object]:
        return {"tau": self.temperature.held, "draws": self.draws, "samples": self.samples}
