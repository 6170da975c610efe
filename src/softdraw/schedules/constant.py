"""A temperature that stays."""

from typing import Any

import torch

from softdraw.schedules.base import ClosedForm, check_number


class Constant(ClosedForm):
    """``tau = value`` at every step: the schedule to compare the others with, or a part of ``Sequential``.

    Args:
        tau: the temperature, > 0.
        device: where ``tau`` is stored; a 0-dim CPU tensor also serves logits on a GPU.

    Raises:
        ValueError: ``tau`` is not a finite number > 0.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Constant(0.5)
        >>> s.step(); s.tau
        tensor(0.5000)
    """

    def __init__(self, tau: float = 1.0, *, device: torch.device | str | None = None) -> None:
        self._constant = check_number("tau", tau)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The same temperature at every ``step``."""
        return self._constant

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"tau": self._constant}
