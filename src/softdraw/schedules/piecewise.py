"""A temperature given at some steps, and how to go from one to the next."""

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, get_args

import torch

from softdraw.arguments import read_choice, read_count, read_number, wrong_type, wrong_value
from softdraw.schedules.base import ClosedForm

__all__ = ["Interpolation", "Piecewise"]

Interpolation = Literal["linear", "constant", "exponential"]


class Piecewise(ClosedForm):
    """A temperature given at chosen steps: ``{0: 2.0, 1000: 1.0, 5000: 0.5}``.

    Args:
        points: step to temperature, as a mapping or as pairs in rising order of the step, the first at step
            0. After the last step the last temperature holds.
        interpolation: between two points the temperature moves on a straight line (``"linear"``), on a
            straight line of its logarithm (``"exponential"``), or stays until the next point
            (``"constant"``).
        device: where ``tau`` is stored.

    Raises:
        TypeError: points that are no pairs, a step that is no int, a temperature that is no number.
        ValueError: no point, the first is not at step 0, steps do not rise, a temperature is not > 0, or an
            unknown interpolation.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Piecewise({0: 2.0, 1000: 1.0, 5000: 0.5})
        >>> s.step(500); s.tau
        tensor(1.5000)
    """

    def __init__(
        self,
        points: Mapping[int, float] | Sequence[tuple[int, float]],
        interpolation: Interpolation = "linear",
        *,
        device: torch.device | str | None = None,
    ) -> None:
        try:
            pairs = list(points.items()) if isinstance(points, Mapping) else [(s, t) for s, t in points]
        except (TypeError, ValueError):
            raise wrong_type("points", points, "a mapping or pairs of step and temperature") from None
        self.points = [
            (read_count("step", step), read_number(f"tau at step {step}", tau, above=0.0, below=math.inf))
            for step, tau in pairs
        ]
        if not self.points or self.points[0][0] != 0:
            raise wrong_value("points", points, "the first at step 0")
        if any(later <= earlier for (earlier, _), (later, _) in pairwise(self.points)):
            raise wrong_value("points", tuple(step for step, _ in self.points), "steps that rise")
        read_choice("interpolation", interpolation, get_args(Interpolation))
        self.interpolation = interpolation
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        for (left, low), (right, high) in pairwise(self.points):
            if step < right:
                share = (step - left) / (right - left)
                if self.interpolation == "constant":
                    return low
                if self.interpolation == "linear":
                    return (1.0 - share) * low + share * high
                return math.exp((1.0 - share) * math.log(low) + share * math.log(high)) if share else low
        return self.points[-1][1]

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"points": [list(point) for point in self.points], "interpolation": self.interpolation}

    def horizon(self) -> int:
        """A fifth beyond the last point."""
        return max(2, math.ceil(1.2 * self.points[-1][0]))
