"""A straight line between two temperatures."""

from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_count, check_number


class Linear(ClosedForm):
    """``tau = start + (end - start) · min(step / steps, 1)``.

    GDAS lowers 10 to 0.1 in this way, one step an epoch (Dong and Yang, Searching for a Robust Neural
    Architecture in Four GPU Hours, CVPR 2019).

    Args:
        start: temperature at step 0, > 0.
        end: temperature from step ``steps`` on, > 0; it may be above ``start``.
        steps: length of the line, >= 1.
        device: where ``tau`` is stored.

    Raises:
        ValueError: a temperature is not a finite number > 0, or ``steps`` < 1.
        TypeError: ``steps`` is no int.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Linear(start=10.0, end=0.1, steps=100)
        >>> s.step(50); s.tau
        tensor(5.0500)
    """

    def __init__(
        self,
        start: float = 10.0,
        end: float = 0.1,
        steps: int = 1000,
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.start = check_number("start", start)
        self.end = check_number("end", end)
        self.steps = check_count("steps", steps)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        share = min(step / self.steps, 1.0)
        # This form is exact at both ends; start + share · (end - start) misses `end` by an ulp.
        return (1.0 - share) * self.start + share * self.end

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "end": self.end, "steps": self.steps}

    def horizon(self) -> int:
        """The line and a fifth of its length after it."""
        return self.steps + max(1, self.steps // 5)
