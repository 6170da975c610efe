"""Tensor estimators that have a temperature."""

from typing import ClassVar

from torch import Tensor

from softdraw.estimators._core.base import TensorEstimator
from softdraw.schedules.base import Schedule

__all__ = ["TemperedEstimator"]


class TemperedEstimator(TensorEstimator):
    """A tensor estimator with a temperature ``tau``.

    Args:
        tau: a float >= 0, a tensor (scalar, or one value per row as ``[*rows]`` or ``[*rows, 1]``), or a
            schedule, whose shared tensor is then read at each call. ``default_tau`` when None.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        ValueError: a negative or NaN float.
    """

    default_tau: ClassVar[float | None] = 1.0

    def __init__(self, tau: float | Tensor | Schedule | None = None, *, samples: int = 1) -> None:
        super().__init__(samples=samples)
        self.tau = check_tau("tau", self.default_tau if tau is None else tau)

    def _options(self) -> dict[str, object]:
        return {"tau": self.tau, "samples": self.samples}


def check_tau(name: str, tau: float | Tensor | Schedule | None) -> float | Tensor:
    """A temperature as a float or a tensor; a schedule gives its shared tensor."""
    if isinstance(tau, Schedule):
        return tau.tau
    if isinstance(tau, Tensor):
        return tau
    if isinstance(tau, bool) or not isinstance(tau, int | float) or not tau >= 0.0:
        raise ValueError(f"{name}={tau!r}: expected a temperature >= 0, a tensor or a schedule")
    return float(tau)
