"""Straight-through Gumbel-Softmax with one temperature forward and another backward."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.categorical import column, compute_dtype, row_temperature
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register
from softdraw.estimators._core.tempered import TemperedEstimator
from softdraw.schedules.base import Schedule
from softdraw.schedules.temperature import Temperature

__all__ = ["DecoupledSTGumbelSoftmax"]


@register("decoupled-st-gumbel-softmax")
class DecoupledSTGumbelSoftmax(TemperedEstimator):
    """ST Gumbel-Softmax on logits / forward_tau, with ``tau`` backward.

    Forward argmax(logits / forward_tau + G), so z ~ softmax(logits / forward_tau); backward through
    softmax((logits / forward_tau + G) / tau). The forward temperature divides the logits before the noise
    comes in: dividing afterwards could not move an argmax. At forward_tau = 1 it is ``st-gumbel-softmax``.

    Reference:
        Shah et al., "Improving Discrete Optimisation Via Decoupled Straight-Through Gumbel-Softmax", 2024
        (arXiv:2410.13331).

    Args:
        tau: temperature of the backward, 1 unless given.
        forward_tau: temperature of the law that is sampled, 0.7 unless given.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: a temperature that is no number, tensor or schedule.
        ValueError: a negative or NaN temperature, or ``forward_tau=0``.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("decoupled-st-gumbel-softmax", forward_tau=0.1).target
        'tempered'
    """

    family = "straight-through"
    target = "tempered"
    default_tau: ClassVar[float | None] = 1.0
    above_zero: ClassVar[Mapping[str, str]] = {
        "forward_tau": "a temperature > 0, or the law is no longer random"
    }
    temperatures: ClassVar[tuple[str, ...]] = ("tau", "forward_tau")
    forward_temperature: Temperature
    reference = "Shah et al. (2024), arXiv:2410.13331"
    remark = "forward tau 0.7"

    def __init__(
        self,
        tau: float | Tensor | Schedule | None = None,
        forward_tau: float | Tensor | Schedule = 0.7,
        *,
        samples: int = 1,
    ) -> None:
        super().__init__(tau, samples=samples)
        self.forward_tau = forward_tau

    @property
    def forward_tau(self) -> float | Tensor | None:
        """The temperature of the law that is sampled, now."""
        return self.forward_temperature.shown

    @forward_tau.setter
    def forward_tau(self, tau: float | Tensor | Schedule | None) -> None:
        self.forward_temperature = self._hold("forward_tau", tau)

    def _sample(self, logits: Tensor, mask: Tensor | None, tau: float | Tensor, draws: Draws) -> Tensor:
        forward_tau = row_temperature(self.forward_temperature.now(), logits, "forward_tau")
        # in float32 at least: a half-precision logit may overflow when divided
        values = logits.to(compute_dtype(logits.dtype)) / column(forward_tau)
        return draws.relaxed(values, tau, hard=True, mask=mask).to(logits.dtype)

    def _options(self) -> dict[str, object]:
        return {
            "tau": self.temperature.held,
            "forward_tau": self.forward_temperature.held,
            "samples": self.samples,
        }
