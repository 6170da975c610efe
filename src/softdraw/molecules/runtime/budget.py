"""How long a stage may run: minutes of wall time, or an exact number of steps or of evaluations."""

import math
from dataclasses import dataclass
from numbers import Real

from softdraw.arguments import read_count, wrong_type, wrong_value

__all__ = ["CHECKPOINT_SECONDS", "FEWEST_CALLS", "Budget", "read_minutes"]

CHECKPOINT_SECONDS = 20.0
"""Work between two checkpoints of a stage: what a killed process loses at most."""
FEWEST_CALLS = 4
"""A target is tried on half a small budget, and two values are needed to see that a property varies."""


@dataclass(frozen=True)
class Budget:
    """Minutes, steps or calls, exactly one of them.

    Args:
        minutes: wall time, above 0.
        steps: optimiser steps, at least 1; the run is then a function of its seed alone.
        calls: molecules whose properties are evaluated, each once, at least 4; for steering alone.

    Raises:
        TypeError: no number, or no int.
        ValueError: several or none given, or one out of its range.

    Example:
        >>> Budget(steps=200).progress(steps=50, seconds=12.0)
        0.25
        >>> Budget(minutes=2).progress(steps=50, seconds=30.0)
        0.25
        >>> Budget(calls=1000).progress(steps=50, seconds=30.0, calls=400)
        0.4
    """

    minutes: float | None = None
    steps: int | None = None
    calls: int | None = None

    def __post_init__(self) -> None:
        given = {"minutes": self.minutes, "steps": self.steps}
        if self.calls is not None:
            given["calls"] = self.calls
        if sum(value is not None for value in given.values()) != 1:
            got = " and ".join(map(str, given.values()))
            raise ValueError(f"{', '.join(given)}: got {got}, expected exactly one of them")
        if self.minutes is not None:
            read_minutes("minutes", self.minutes)
        if self.steps is not None:
            object.__setattr__(self, "steps", read_count("steps", self.steps, 1))
        if self.calls is not None:
            object.__setattr__(self, "calls", read_count("calls", self.calls, FEWEST_CALLS))

    def progress(self, steps: int, seconds: float, calls: int = 0) -> float:
        """Share of the budget that is used, from 0 up; 1 or more when it is spent."""
        if self.steps is not None:
            return steps / self.steps
        if self.calls is not None:
            return calls / self.calls
        return seconds / (60 * (self.minutes or math.inf))

    def __str__(self) -> str:
        if self.steps is not None:
            return f"{self.steps} steps"
        return f"{self.calls:,} calls" if self.calls is not None else f"{self.minutes:g} minutes"


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
