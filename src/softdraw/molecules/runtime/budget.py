"""How long a stage may run: minutes of wall time, or an exact number of steps."""

import math
from dataclasses import dataclass
from numbers import Real

from softdraw.arguments import read_count, wrong_type, wrong_value

__all__ = ["CHECKPOINT_SECONDS", "Budget", "read_minutes"]

CHECKPOINT_SECONDS = 20.0
"""Work between two checkpoints of a stage: what a killed process loses at most."""


@dataclass(frozen=True)
class Budget:
    """Minutes or steps, exactly one of them.

    Args:
        minutes: wall time, above 0.
        steps: optimiser steps, at least 1; the run is then a function of its seed alone.

    Raises:
        TypeError: no number, or no int.
        ValueError: both or none given, or not positive.

    Example:
        >>> Budget(steps=200).progress(steps=50, seconds=12.0)
        0.25
        >>> Budget(minutes=2).progress(steps=50, seconds=30.0)
        0.25
    """

    minutes: float | None = None
    steps: int | None = None

    def __post_init__(self) -> None:
        if (self.minutes is None) == (self.steps is None):
            raise ValueError(
                f"minutes, steps: got {self.minutes} and {self.steps}, expected exactly one of them"
            )
        if self.minutes is not None:
            read_minutes("minutes", self.minutes)
        if self.steps is not None:
            object.__setattr__(self, "steps", read_count("steps", self.steps, 1))

    def progress(self, steps: int, seconds: float) -> float:
        """Share of the budget that is used, from 0 up; 1 or more when it is spent."""
        if self.steps is not None:
            return steps / self.steps
        return seconds / (60 * (self.minutes or math.inf))

    def __str__(self) -> str:
        return f"{self.steps} steps" if self.steps is not None else f"{self.minutes:g} minutes"


def read_minutes(name: str, value: object) -> float:
    """Minutes of wall time.

    Raises:
        TypeError: no number.
        ValueError: not positive, or infinite.

    Example:
        >>> read_minutes("minutes", 0.5)
        0.5
    """
    expected = "a positive number"
    if isinstance(value, bool) or not isinstance(value, Real):
        raise wrong_type(name, value, expected)
    if not 0 < float(value) < math.inf:
        raise wrong_value(name, value, expected)
    return float(value)
