"""Exponential decay with a floor, read every few steps."""

import math
from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_count, check_number


class Exponential(ClosedForm):
    """``tau = max(floor, start · exp(-rate · t))`` with ``t = every · ⌊step / every⌋``.

    Jang et al. train with ``max(0.5, exp(-rt))``, r in {1e-5, 1e-4}, refreshed every 500 or 1000 steps
    (Categorical Reparameterization with Gumbel-Softmax, ICLR 2017, section 4.2).

    Args:
        start: temperature at step 0, > 0.
        floor: lowest temperature, >= 0 and <= ``start``.
        rate: decay per step, >= 0.
        every: steps between two changes, >= 1; ``rate`` stays the rate per step.
        device: where ``tau`` is stored.

    Raises:
        ValueError: a number is out of its range.
        TypeError: ``every`` is no int.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Exponential(start=1.0, floor=0.5, rate=1e-4, every=1000)
        >>> s.step(999); s.tau
        tensor(1.)
        >>> s.step(); s.tau
        tensor(0.9048)
    """

    def __init__(
        self,
        start: float = 1.0,
        floor: float = 0.5,
        rate: float = 1e-4,
        every: int = 1,
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.start = check_number("start", start)
        self.floor = check_number("floor", floor, strict=False, below=self.start)
        self.rate = check_number("rate", rate, strict=False)
        self.every = check_count("every", every)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        t = step // self.every * self.every
        return max(self.floor, self.start * math.exp(-self.rate * t))

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "floor": self.floor, "rate": self.rate, "every": self.every}

    def horizon(self) -> int:
        """A fifth beyond the step that reaches the floor; three decay times without a floor."""
        if self.rate == 0.0:
            return 1000
        reach = math.log(self.start / self.floor) if self.floor > 0.0 else 3.0
        return max(2, math.ceil(1.2 * max(reach, 0.1) / self.rate))
