"""Schedules that are one line: a formula of the step count, its arguments and their bounds."""

import math
from dataclasses import KW_ONLY, dataclass
from typing import Any

import torch

from softdraw.arguments import read_number
from softdraw.schedules.base import ClosedForm
from softdraw.schedules.fields import count, number

__all__ = ["Constant", "Cosine", "Exponential", "Linear", "Multiplicative"]


class Constant(ClosedForm):
    """``tau = value`` at every step: the schedule to compare the others with, or a part of ``Sequential``.

    Args:
        tau: the temperature, > 0.
        device: where ``tau`` is stored; a 0-dim CPU tensor also serves logits on a GPU.

    Raises:
        TypeError: ``tau`` is no number.
        ValueError: ``tau`` is not finite and > 0.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Constant(0.5)
        >>> s.step(); s.tau
        tensor(0.5000)
    """

    def __init__(self, tau: float = 1.0, *, device: torch.device | str | None = None) -> None:
        # no dataclass: the argument has the name of the tensor
        self._constant = read_number("tau", tau, above=0.0, below=math.inf)
        super().__init__(device=device)

    def at(self, step: int) -> float:
        """The same temperature at every ``step``."""
        return self._constant

    def config(self) -> dict[str, Any]:
        """The arguments that make this schedule again."""
        return {"tau": self._constant}


@dataclass(eq=False, repr=False)
class Linear(ClosedForm):
    """``tau = start + (end - start) · min(step / steps, 1)``.

    GDAS lowers 10 to 0.1 in this way, one step an epoch.

    Reference:
        Dong, Yang, "Searching for a Robust Neural Architecture in Four GPU Hours", CVPR 2019.

    Args:
        start: temperature at step 0, > 0.
        end: temperature from step ``steps`` on, > 0; it may be above ``start``.
        steps: length of the line, >= 1.
        device: where ``tau`` is stored.

    Raises:
        TypeError: an argument is no number, or ``steps`` no int.
        ValueError: a temperature that is not finite and > 0, or ``steps`` < 1.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Linear(start=10.0, end=0.1, steps=100)
        >>> s.step(50); s.tau
        tensor(5.0500)
    """

    start: float = number(10.0, above=0.0)
    end: float = number(0.1, above=0.0)
    steps: int = count(1000)
    _: KW_ONLY
    device: torch.device | str | None = None

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        # This form is exact at both ends; start + share · (end - start) misses `end` by an ulp.
        return _between(self.start, self.end, min(step / self.steps, 1.0))

    def horizon(self) -> int:
        """The line and a fifth of its length after it."""
        return self.steps + max(1, self.steps // 5)


@dataclass(eq=False, repr=False)
class Cosine(ClosedForm):
    """``tau = end + ½ (start - end) (1 + cos(π · min(step / steps, 1)))``.

    DALL-E's discrete VAE lowers 1 to 1/16 in this way over its first 150,000 updates, as reimplementations
    quote it (the defaults).

    Reference:
        Ramesh et al., "Zero-Shot Text-to-Image Generation", 2021, appendix A.2.

    Args:
        start: temperature at step 0, > 0.
        end: temperature from step ``steps`` on, > 0.
        steps: length of the curve, >= 1.
        device: where ``tau`` is stored.

    Raises:
        TypeError: an argument is no number, or ``steps`` no int.
        ValueError: a temperature that is not finite and > 0, or ``steps`` < 1.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Cosine(start=1.0, end=0.5, steps=100)
        >>> s.step(50); s.tau
        tensor(0.7500)
    """

    start: float = number(1.0, above=0.0)
    end: float = number(0.0625, above=0.0)
    steps: int = count(150_000)
    _: KW_ONLY
    device: torch.device | str | None = None

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        share = 0.5 * (1.0 + math.cos(math.pi * min(step / self.steps, 1.0)))
        return _between(self.end, self.start, share)

    def horizon(self) -> int:
        """The curve and a fifth of its length after it."""
        return self.steps + max(1, self.steps // 5)


@dataclass(eq=False, repr=False)
class Exponential(ClosedForm):
    """``tau = max(floor, start · exp(-rate · t))`` with ``t = every · ⌊step / every⌋``.

    Jang et al. train with ``max(0.5, exp(-rt))``, r in {1e-5, 1e-4}, refreshed every 500 or 1000 steps.

    Reference:
        Jang, Gu, Poole, "Categorical Reparameterization with Gumbel-Softmax", ICLR 2017, section 4.2.

    Args:
        start: temperature at step 0, > 0.
        floor: lowest temperature, >= 0 and <= ``start``.
        rate: decay per step, >= 0.
        every: steps between two changes, >= 1; ``rate`` stays the rate per step.
        device: where ``tau`` is stored.

    Raises:
        TypeError: an argument is no number, or ``every`` no int.
        ValueError: a number is out of its range.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Exponential(start=1.0, floor=0.5, rate=1e-4, every=1000)
        >>> s.step(999); s.tau
        tensor(1.)
        >>> s.step(); s.tau
        tensor(0.9048)
    """

    start: float = number(1.0, above=0.0)
    floor: float = number(0.5, least=0.0, most="start")
    rate: float = number(1e-4, least=0.0)
    every: int = count(1)
    _: KW_ONLY
    device: torch.device | str | None = None

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        return max(self.floor, self.start * math.exp(-self.rate * (step // self.every * self.every)))

    def horizon(self) -> int:
        """A fifth beyond the step that reaches the floor; three decay times without a floor."""
        return _fall(self.start, self.floor, self.rate, 1)


@dataclass(eq=False, repr=False)
class Multiplicative(ClosedForm):
    """``tau = max(floor, start · factor^⌊step / every⌋)``.

    wav2vec 2.0 multiplies 2.0 by 0.999995 at each update down to 0.5 (the defaults): the floor is first
    reached at step 277,259. FBNet multiplies 5 by 0.956 once an epoch:
    ``Multiplicative(5.0, floor, 0.956, every=steps_per_epoch)``.

    The power is taken of the step count, never of the last temperature, so a resume cannot compound it.

    Reference:
        Baevski, Zhou, Mohamed, Auli, "wav2vec 2.0", NeurIPS 2020; Wu et al., "FBNet", CVPR 2019.

    Args:
        start: temperature at step 0, > 0.
        floor: lowest temperature, >= 0 and <= ``start``.
        factor: in (0, 1].
        every: steps between two multiplications, >= 1.
        device: where ``tau`` is stored.

    Raises:
        TypeError: an argument is no number, or ``every`` no int.
        ValueError: a number is out of its range.

    Example:
        >>> import softdraw as sd
        >>> s = sd.schedules.Multiplicative(start=2.0, floor=0.5, factor=0.999995)
        >>> s.step(277_258); s.value > 0.5
        True
        >>> s.step(); s.value
        0.5
    """

    start: float = number(2.0, above=0.0)
    floor: float = number(0.5, least=0.0, most="start")
    factor: float = number(0.999995, above=0.0, most=1.0)
    every: int = count(1)
    _: KW_ONLY
    device: torch.device | str | None = None

    def at(self, step: int) -> float:
        """The temperature after ``step`` steps."""
        return max(self.floor, self.start * self.factor ** (step // self.every))

    def horizon(self) -> int:
        """A fifth beyond the step that reaches the floor; three decay times without a floor."""
        return _fall(self.start, self.floor, -math.log(self.factor), self.every)


def _between(start: float, end: float, share: float) -> float:
    return (1.0 - share) * start + share * end


def _fall(start: float, floor: float, rate: float, every: int) -> int:
    """Steps that an exponential decay takes to its floor, and a fifth more."""
    if rate == 0.0:
        return 1000
    reach = math.log(start / floor) if floor > 0.0 else 3.0
    return max(2, math.ceil(1.2 * max(reach, 0.1) * every / rate))
