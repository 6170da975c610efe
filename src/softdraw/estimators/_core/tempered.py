"""Tensor estimators that have a temperature."""

from collections.abc import Mapping
from typing import Any, ClassVar

from torch import Tensor

from softdraw.arguments import read_temperature, wrong_type, wrong_value
from softdraw.estimators._core.base import TensorEstimator
from softdraw.schedules.adaptive import Adaptive
from softdraw.schedules.base import Schedule
from softdraw.schedules.temperature import Temperature

__all__ = ["TemperedEstimator"]


class TemperedEstimator(TensorEstimator):
    """A tensor estimator with a temperature ``tau``.

    A schedule is read at every call, so it may step, learn, and be shared; its position is in
    ``state_dict``. ``est.tau`` is the temperature now, and may be assigned.

    Args:
        tau: a float >= 0, a tensor (scalar, or one value per row as ``[*rows]`` or ``[*rows, 1]``), or a
            schedule. ``default_tau`` when None.
        samples: S, how many samples ``expectation`` averages over.

    Raises:
        TypeError: no number, tensor or schedule.
        ValueError: a number that is negative or NaN, or 0 where an estimator needs more.
    """

    default_tau: ClassVar[float | None] = 1.0
    #: what is expected of a temperature that may not be 0, by its name
    above_zero: ClassVar[Mapping[str, str]] = {}
    #: which attributes are temperatures
    temperatures: ClassVar[tuple[str, ...]] = ("tau",)
    temperature: Temperature

    def __init__(self, tau: float | Tensor | Schedule | None = None, *, samples: int = 1) -> None:
        super().__init__(samples=samples)
        self.tau = self.default_tau if tau is None else tau

    @property
    def tau(self) -> float | Tensor | None:
        """The temperature now: a float or a tensor, that of the schedule where one was given."""
        return self.temperature.shown

    @tau.setter
    def tau(self, tau: float | Tensor | Schedule | None) -> None:
        self.temperature = self._hold("tau", tau)

    def __setattr__(self, name: str, value: Any) -> None:
        # nn.Module would take a parameter or a module for itself before a property's setter sees it
        if name in self.temperatures:
            object.__setattr__(self, name, value)
        else:
            super().__setattr__(name, value)

    def _hold(self, name: str, tau: float | Tensor | Schedule | None) -> Temperature:
        if tau is None:
            raise wrong_type(name, tau, "a number, a tensor or a schedule")
        held = Temperature(name, tau)
        self._check_zero(name, held.fixed)
        return held

    def _at(
        self, tau: float | Tensor | None, logits: Tensor, mask: Tensor | None
    ) -> tuple[float | Tensor | None, Tensor]:
        if tau is None:
            # a look-up without nn.Module.__getattr__
            held: Temperature = self._modules["temperature"]  # type: ignore[assignment]
            if held.schedule is None:
                return held.fixed, logits
            return held.now(), held.watched(logits, mask)
        if not isinstance(tau, Tensor):
            tau = read_temperature("tau", tau)
            self._check_zero("tau", tau)
        return tau, logits

    def _law_tau(self, tau: float | Tensor | None) -> float | Tensor | None:
        held = self.temperature
        if tau is None and isinstance(held.schedule, Adaptive):
            raise wrong_value(
                "tau",
                held.schedule,
                "a number, a tensor or another schedule: Adaptive watches the gradient of logits, which a "
                "distribution does not show",
            )
        if tau is None:
            return held.now()
        if not isinstance(tau, Tensor):
            tau = read_temperature("tau", tau)
            self._check_zero("tau", tau)
        return tau

    def _check_zero(self, name: str, tau: float | Tensor | None) -> None:
        if name in self.above_zero and not isinstance(tau, Tensor) and tau == 0.0:
            raise wrong_value(name, tau, self.above_zero[name])

    def _options(self) -> dict[str, object]:
        return {"tau": self.temperature.held, "samples": self.samples}
