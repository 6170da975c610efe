"""A fixed factor at every step, with a floor."""

import math
from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_count, check_number


class Multiplicative(ClosedForm):
    """``tau = max(floor, start · factor^⌊step / every⌋)``.

    wav2vec 2.0 multiplies 2.0 by 0.999995 at each update down to 0.5 (Baevski et al., NeurIPS 2020; the
    defaults): the floor is first reached at step 277,259. FBNet multiplies 5 by 0.956 once an epoch:
    ``Multiplicative(5.0, floor, 0.956, every=steps_per_epoch)``.

    The power is taken of the step count, never of the last temperature, so a resume cannot compound it.

    Args:
        start: temperature at step 0, > 0.
        floor: lowest temperature, >= 0 and <= ``start``.
        factor: in (0, 1].
        every: steps between two multiplications, >= 1.
        device: where ``tau`` is stored.

    Raises:
        ValueError: a number is out of its range.
        TypeError: ``every`` is no int.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Multiplicative(start=2.0, floor=0.5, factor=0.999995)
        >>> s.step(277_258); s.value > 0.5
        True
        >>> s.step(); s.value
        0.5
    """

    def __init__(
        self,
        start: float = 2.0,
        floor: float = 0.5,
        factor: float = 0.999995,
        every: int = 1,
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.start = check_number("start", start)
        self.floor = check_number("floor", floor, strict=False, below=self.start)
        self.factor = check_number("factor", factor, below=1.0)
        self.every = check_count("every", every)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        return max(self.floor, self.start * self.factor ** (step // self.every))

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "floor": self.floor, "factor": self.factor, "every": self.every}

    def horizon(self) -> int:
        """A fifth beyond the step that reaches the floor; three decay times without a floor."""
        if self.factor == 1.0:
            return 1000
        reach = math.log(self.start / self.floor) if self.floor > 0.0 else 3.0
        return max(2, math.ceil(1.2 * max(reach, 0.1) * self.every / -math.log(self.factor)))
