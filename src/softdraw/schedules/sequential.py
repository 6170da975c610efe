"""One schedule after another."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch

from softdraw.arguments import read_count, wrong_type, wrong_value
from softdraw.schedules.base import ClosedForm

__all__ = ["Sequential"]


class Sequential(ClosedForm):
    """Schedules one after another, each counting its steps from its own beginning.

    Args:
        schedules: schedules that are formulas of the step count (not ``Learned`` or ``Adaptive``), or what
            ``config`` says of them: ``{"schedule": "Linear", "start": 1.0, ...}``. Only their formulas are
            used: their own counts and tensors stay as they are.
        milestones: the steps at which the second, third, ... schedule begins: rising, >= 1, one fewer than
            schedules (as in ``torch.optim.lr_scheduler.SequentialLR``).
        device: where ``tau`` is stored.

    Raises:
        TypeError: a schedule is no formula of the step count, or a milestone is no int.
        ValueError: no schedule, an unknown one, a wrong number of milestones, or milestones that do not rise.

    Example:
        >>> import softdraw as sd
        >>> warm = sd.schedules.Constant(1.0)
        >>> fall = sd.schedules.Linear(start=1.0, end=0.5, steps=100)
        >>> s = sd.schedules.Sequential([warm, fall], milestones=[1000])
        >>> s.step(1050); s.tau
        tensor(0.7500)
    """

    def __init__(
        self,
        schedules: Sequence[ClosedForm | Mapping[str, Any]],
        milestones: Sequence[int],
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.schedules = [_read(schedule) for schedule in schedules]
        self.milestones = [read_count("milestones", m, 1) for m in milestones]
        if not self.schedules:
            raise wrong_value("schedules", schedules, "one schedule or more")
        if len(self.milestones) != len(self.schedules) - 1:
            raise ValueError(
                f"milestones: got {len(self.milestones)} for {len(self.schedules)} schedules, expected "
                f"{len(self.schedules) - 1}"
            )
        if any(later <= earlier for earlier, later in pairwise(self.milestones)):
            raise wrong_value("milestones", tuple(self.milestones), "steps that rise")
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        part = bisect_right(self.milestones, step)
        return self.schedules[part].at(step - ([0, *self.milestones])[part])

    def config(self) -> dict[str, Any]:
        """Names and arguments of the parts, and the milestones."""
        parts = [{"schedule": type(s).__name__, **s.config()} for s in self.schedules]
        return {"schedules": parts, "milestones": list(self.milestones)}

    def horizon(self) -> int:
        """All parts, the last as far as it draws itself."""
        return (self.milestones[-1] if self.milestones else 0) + self.schedules[-1].horizon()

    def __repr__(self) -> str:
        return f"Sequential([{', '.join(map(repr, self.schedules))}], milestones={self.milestones})"


def _read(schedule: object) -> ClosedForm:
    """A formula, or the one that ``config`` of a ``Sequential`` tells of."""
    if isinstance(schedule, Mapping) and "schedule" in schedule:
        arguments = dict(schedule)
        name = arguments.pop("schedule")
        known = {cls.__name__: cls for cls in _formulas(ClosedForm)}  # type: ignore[type-abstract]
        if name not in known:
            raise wrong_value("schedule", name, f"one of {', '.join(sorted(known))}")
        return known[name](**arguments)
    if not isinstance(schedule, ClosedForm):
        raise wrong_type("schedules", schedule, "formulas of the step count (ClosedForm)")
    return schedule


def _formulas(base: type[ClosedForm]) -> list[type[ClosedForm]]:
    """All subclasses, those of this package last: a user's class does not hide one of them."""
    found = [cls for direct in base.__subclasses__() for cls in (*_formulas(direct), direct)]
    return sorted(found, key=lambda cls: cls.__module__.startswith("softdraw."))
