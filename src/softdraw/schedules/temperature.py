"""The temperature that a module draws with: held once, read anew at every draw, saved with the module."""

import torch
from torch import Tensor, nn

from softdraw.arguments import check_floating, read_temperature, wrong_type
from softdraw.schedules.adaptive import Adaptive
from softdraw.schedules.base import Resumable, Schedule
from softdraw.schedules.saved import SavedSchedule

__all__ = ["Temperature", "moved_schedule"]


class Temperature(nn.Module):
    """A number, a tensor or a schedule, as the temperature of an estimator's or a layer's draws.

    A schedule is read at each draw. ``Learned`` is a submodule, so its parameter is one of the owner's; any
    other schedule has its position in the owner's ``state_dict``.

    Args:
        name: how errors call it.
        tau: a float >= 0, a tensor, a schedule, or None for no temperature here.

    Raises:
        TypeError: something else, or a schedule that nothing can save.
        ValueError: a number that is negative or NaN, or a tensor without values.

    Example:
        >>> import softdraw as sd
        >>> from softdraw.schedules.temperature import Temperature
        >>> schedule = sd.schedules.Linear(1.0, 0.5, steps=2)
        >>> held = Temperature("tau", schedule)
        >>> earlier = held.now()
        >>> schedule.step(); held.now(), earlier
        (tensor(0.7500), tensor(1.))
    """

    def __init__(self, name: str, tau: float | Tensor | Schedule | None) -> None:
        super().__init__()
        self.schedule: Schedule | None = None
        self.fixed: float | Tensor | None = None
        if isinstance(tau, Schedule):
            if not isinstance(tau, Resumable | nn.Module):
                raise wrong_type(name, tau, "a schedule that can be saved: a Resumable or an nn.Module")
            self.schedule = tau
            if isinstance(tau, Resumable):
                self.position = SavedSchedule(tau)
        elif isinstance(tau, Tensor):
            check_floating(name, tau)
            if tau.is_meta and not isinstance(tau, nn.Parameter):
                raise ValueError(
                    f"{name}: got a tensor on the meta device, which nothing will fill, expected a number, a "
                    "parameter or a schedule"
                )
            self.fixed = tau
        elif tau is not None:
            self.fixed = read_temperature(name, tau)

    @property
    def held(self) -> float | Tensor | Schedule | None:
        """What was given."""
        return self.fixed if self.schedule is None else self.schedule

    @property
    def shown(self) -> float | Tensor | None:
        """The temperature as it is, in the schedule's own tensor: to look at, not to draw with."""
        return self.fixed if self.schedule is None else self.schedule.tau

    def now(self) -> float | Tensor | None:
        """The temperature for one draw.

        A copy of what a schedule shares: one that steps before ``backward`` must not change the gradient of
        this draw. A learned temperature comes with its graph, a new one at each call.
        """
        if self.schedule is None:
            return self.fixed
        tau = self.schedule.tau
        return tau if tau.requires_grad else tau.clone()

    def watched(self, logits: Tensor, mask: Tensor | None = None) -> Tensor:
        """``logits`` ``[*batch, classes]`` to draw from, whose gradient ``Adaptive`` is then shown.

        Rows without a class that ``mask`` allows are padding, and are left out.
        """
        schedule = self.schedule
        if not isinstance(schedule, Adaptive) or not logits.requires_grad or torch.compiler.is_compiling():
            return logits
        logits = logits.view_as(logits)
        schedule.watch(logits, None if mask is None else mask.any(-1))
        return logits

    def __repr__(self) -> str:
        return f"Temperature({self.held!r})"


def moved_schedule(state_dict: dict[str, object], prefix: str) -> None:
    """Rename, in place, what version 0.1 saved of a learned temperature under the layer itself."""
    old = f"{prefix}schedule."
    for key in [key for key in state_dict if key.startswith(old)]:
        state_dict[f"{prefix}temperature.schedule.{key.removeprefix(old)}"] = state_dict.pop(key)
