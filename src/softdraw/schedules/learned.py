"""A temperature that is a parameter."""

import math
from typing import Any

import torch
from torch import Tensor, nn

from softdraw.arguments import read_count, read_number
from softdraw.schedules.base import Schedule
from softdraw.schedules.saved import read_state, state_tensor
from softdraw.schedules.trace import Trace

__all__ = ["Learned"]


class Learned(nn.Module, Schedule):
    """``tau = low · (high / low)^σ(raw)``: a positive parameter between two bounds, trained with the rest.

    A module: a layer or an estimator that holds it registers ``raw`` (shape ``[1]``, which sharded training
    takes) with its own parameters, so the optimizer trains it and their ``state_dict`` holds it, with its
    arguments and its count of steps. ``tau`` is computed anew at each access, with a gradient. ``step`` only
    counts, and records the temperature for ``plot`` (the record is not part of ``state_dict``).

    Jang et al. learn the temperature too. A learned temperature follows the relaxed loss, whose optimum in
    tau need not be the one of the discrete problem: compare before trusting it.

    Where ``fully_shard`` has sharded ``raw``, reading ``tau`` outside the forward pass gathers it: a
    collective that every rank must take part in.

    Reference:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, section 2.2.

    Args:
        start: temperature at the beginning, strictly between ``low`` and ``high``.
        low: lower bound, > 0.
        high: upper bound, finite.
        device: where the parameter is stored.

    Raises:
        TypeError: an argument is no number.
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
        self.high = read_number("high", high, above=0.0, below=math.inf)
        self.low = read_number("low", low, above=0.0, below=self.high)
        self.start = read_number("start", start, above=self.low, below=self.high)
        self.raw = nn.Parameter(torch.empty(1, dtype=torch.float32, device=device))
        self._step_count = 0
        self._trace = Trace(spacing=16)
        self._trace.add(0, self.start)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Go back to ``start``."""
        share = math.log(self.start / self.low) / math.log(self.high / self.low)
        nn.init.constant_(self.raw, math.log(share) - math.log1p(-share))

    @property
    def tau(self) -> Tensor:
        """The temperature, shape ``[]``, float32 whatever ``raw`` is stored in, with a gradient to it."""
        raw = self.raw
        whole: Tensor = raw.full_tensor() if hasattr(raw, "full_tensor") else raw
        share = torch.sigmoid(whole.reshape(()).float())
        return torch.exp(math.log(self.low) + math.log(self.high / self.low) * share)

    @property
    def step_count(self) -> int:
        """How many steps have been taken."""
        return self._step_count

    def step(self, count: int = 1) -> None:
        """Count ``count`` steps; the optimizer is what moves the temperature.

        Raises:
            TypeError: ``count`` is no int.
            ValueError: ``count`` is negative.
        """
        self._step_count += read_count("count", count)
        if self._trace.wants(self._step_count):
            self._trace.add(self._step_count, self.value)

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"start": self.start, "low": self.low, "high": self.high}

    def curve(self, steps: int | None = None) -> tuple[list[int], list[float]]:
        """The recorded past and the present."""
        return self._trace.until(self.step_count, self.value)

    def __repr__(self) -> str:
        return Schedule.__repr__(self)

    def get_extra_state(self) -> Tensor:
        """Arguments and count of steps, as a tensor that every checkpoint format stores."""
        return state_tensor({"step_count": self._step_count, "config": self.config()})

    def set_extra_state(self, state: Tensor) -> None:
        """Go on from the count of steps in ``state``.

        Raises:
            ValueError: it was saved under other bounds.
        """
        saved = read_state(state)
        self._check_bounds(saved["config"]["low"], saved["config"]["high"])
        self._step_count = read_count("step_count", saved["step_count"])

    def _check_bounds(self, low: float, high: float) -> None:
        if (low, high) != (self.low, self.high):
            raise ValueError(
                f"the state has the bounds low={low}, high={high}, "
                f"this schedule has low={self.low}, high={self.high}"
            )

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
        saved = dict(state_dict)
        raw, key = saved.get(f"{prefix}raw"), f"{prefix}_extra_state"
        if isinstance(raw, Tensor) and raw.dim() == 0:
            saved[f"{prefix}raw"] = raw.reshape(1)
        bits, steps = saved.pop(f"{prefix}_bounds", None), saved.pop(f"{prefix}_steps", None)
        if bits is not None and steps is not None:
            # version 0.1 kept the bounds as the bits of two float64, and the steps in a buffer
            low, high = bits.cpu().view(torch.float64).tolist()
            config = {**self.config(), "low": low, "high": high}
            saved[key] = state_tensor({"step_count": int(steps), "config": config})
        try:
            if key in saved:
                self.set_extra_state(saved[key])
        except ValueError as error:
            # `raw` means another temperature under other bounds, so this is an error also without `strict`.
            error_msgs.append(f"{prefix.rstrip('.') or 'Learned'}: {error}")
            return
        super()._load_from_state_dict(
            saved, prefix, local_metadata, strict, missing_keys, unexpected_keys, error_msgs
        )
