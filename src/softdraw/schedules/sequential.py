"""One schedule after another."""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_count


class Sequential(ClosedForm):
    """Schedules one after another, each counting its steps from its own beginning.

    Args:
        schedules: schedules that are formulas of the step count (not ``Learned`` or ``Adaptive``). Only their
            formulas are used: their own counts and tensors stay as they are.
        milestones: the steps at which the second, third, ... schedule begins: rising, >= 1, one fewer than
            schedules (as in ``torch.optim.lr_scheduler.SequentialLR``).
        device: where ``tau`` is stored.

    Raises:
        ValueError: no schedule, a wrong number of milestones, or milestones that do not rise.
        TypeError: a schedule is no formula of the step count, or a milestone is no int.

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
        schedules: Sequence[ClosedForm],
        milestones: Sequence[int],
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.schedules = list(schedules)
        self.milestones = [check_count("milestone", m) for m in milestones]
        for schedule in self.schedules:
            if not isinstance(schedule, ClosedForm):
                raise TypeError(
                    f"schedules must be formulas of the step count (ClosedForm), got {schedule!r}"
                )
        if not self.schedules or len(self.milestones) != len(self.schedules) - 1:
            raise ValueError(
                f"milestones must be one fewer than schedules, got {len(self.milestones)} milestones "
                f"for {len(self.schedules)} schedules"
            )
        if self.milestones != sorted(set(self.milestones)):
            raise ValueError(f"milestones must rise, got {self.milestones}")
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
