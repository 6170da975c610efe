"""Half a cosine between two temperatures."""

import math
from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_count, check_number


class Cosine(ClosedForm):
    """``tau = end + ½ (start - end) (1 + cos(π · min(step / steps, 1)))``.

    DALL-E's discrete VAE lowers 1 to 1/16 in this way over its first 150,000 updates (Ramesh et al.,
    Zero-Shot Text-to-Image Generation, 2021, appendix A.2, as reimplementations quote it; the defaults).

    Args:
        start: temperature at step 0, > 0.
        end: temperature from step ``steps`` on, > 0.
        steps: length of the curve, >= 1.
        device: where ``tau`` is stored.

    Raises:
        ValueError: a temperature is not a finite number > 0, or ``steps`` < 1.
        TypeError: ``steps`` is no int.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Cosine(start=1.0, end=0.5, steps=100)
        >>> s.step(50); s.tau
        tensor(0.7500)
    """

    def __init__(
        self,
        start: float = 1.0,
        end: float = 0.0625,
        steps: int = 150_000,
        *,
        device: torch.device | str | None = None,
    ) -> None:
        self.start = check_number("start", start)
        self.end = check_number("end", end)
        self.steps = check_count("steps", steps)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        share = 0.5 * (1.0 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return share * self.start + (1.0 - share) * self.end

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "end": self.end, "steps": self.steps}

    def horizon(self) -> int:
        """The curve and a fifth of its length after it."""
        return self.steps + max(1, self.steps // 5)
