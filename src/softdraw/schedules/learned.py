"""A temperature that is a parameter."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from softdraw.schedules.base import Schedule, check_number
from softdraw.schedules.trace import Trace


class Learned(nn.Module, Schedule):
    """``tau = low · (high / low)^σ(raw)``: a positive parameter between two bounds, trained with the rest.

    A module: a layer that holds it registers ``raw`` with its own parameters, so the optimizer trains it and
    the layer's ``state_dict`` holds it. ``tau`` is computed anew at each access, with a gradient. ``step``
    only counts, and records the temperature for ``plot`` (the record is not part of ``state_dict``).

    Jang et al. (ICLR 2017) learn the temperature too. A learned temperature follows the relaxed loss, whose
    optimum in tau need not be the one of the discrete problem: compare before trusting it.

    Args:
        start: temperature at the beginning, strictly between ``low`` and ``high``.
        low: lower bound, > 0.
        high: upper bound, finite.
        device: where the parameter is stored.

    Raises:
        ValueError: not ``0 < low < start < high < inf``.
        RuntimeError: ``load_state_dict`` of a state with other bounds.

    Example:
        >>> import torch, softdraw as sd
        >>> s = sd.schedules.Learned(start=1.0, low=0.1, high=10.0)
        >>> s.tau
        tensor(1., grad_fn=...)
        >>> s.tau.backward(); s.raw.grad is not None
        True
    """

    def __init__(
        self,
        start: float = 1.0,
        low: float = 0.1,
        high: float = 10.0,
        *,
        device: torch.device | str | None = None,
    ) -> None:
        super().__init__()
        self.start = check_number("start", start)
        self.low = check_number("low", low)
        self.high = check_number("high", high)
        if not self.low < self.start < self.high:
            raise ValueError(
                f"start must lie between low and high, got low={low}, start={start}, high={high}"
            )
        self.raw = nn.Parameter(torch.empty((), dtype=torch.float32, device=device))
        self.register_buffer("_steps", torch.zeros((), dtype=torch.int64, device=device))
        # The bounds as bits: an int64 buffer survives .half() exactly and every checkpoint format stores it.
        self.register_buffer("_bounds", self._bound_bits())
        self.reset_parameters()
        self._trace = Trace(spacing=16)
        self._trace.add(0, self.start)

    def reset_parameters(self) -> None:
        """Go back to ``start``."""
        share = math.log(self.start / self.low) / math.log(self.high / self.low)
        nn.init.constant_(self.raw, math.log(share) - math.log1p(-share))

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32 whatever ``raw`` is stored in, with a gradient to it."""
        share = torch.sigmoid(self.raw.float())
        return torch.exp(math.log(self.low) + math.log(self.high / self.low) * share)

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        return int(self.get_buffer("_steps"))

    def step(self, count: int = 1) -> None:
        """Count ``count`` steps; the optimizer is what moves the temperature."""
        self.get_buffer("_steps").add_(count)
        if self._trace.wants(self.step_count):
            self._trace.add(self.step_count, self.value)

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "low": self.low, "high": self.high}

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """The recorded past and the present."""
        return self._trace.until(self.step_count, self.value)

    def __repr__(self) -> str:
        return Schedule.__repr__(self)

    def _bound_bits(self) -> Tensor:
        return torch.tensor([self.low, self.high], dtype=torch.float64).view(torch.int64)

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        bits = state_dict.get(f"{prefix}_bounds")
        if bits is not None and not torch.equal(bits.cpu(), self._bound_bits()):
            low, high = bits.cpu().view(torch.float64).tolist()
            # `raw` means another temperature under other bounds, so this is an error also without `strict`.
            error_msgs.append(
                f"{prefix or 'Learned'}: the state has the bounds low={low}, high={high}, "
                f"this schedule has low={self.low}, high={self.high}"
            )
        super()._load_from_state_dict(
            state_dict, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
