"""The kinds of goals: a value, a maximum or a minimum, a range, a step, a sigmoid.

Each says how far a value is from it, and how desirable that distance makes a molecule where several targets
are multiplied. A new kind is one more function here, and a few lines in ``goal_text``.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import softplus

from softdraw.molecules.errors import TargetError

__all__ = ["FLOOR", "Goal", "extreme", "range_of", "sigmoid", "step", "value"]

FLOOR = 1e-3
"""Least desirability of a step or a sigmoid, so that a product of several has a logarithm and a gradient."""


def _same(distance: Tensor) -> Tensor:
    return distance


def _floored(distance: Tensor) -> Tensor:
    return -torch.log(FLOOR + (1 - FLOOR) * (1 - distance))


@dataclass(frozen=True, eq=False)
class Goal:
    """Where a property should go.

    Attributes:
        short: as ``Target.goal`` has it: a number, or text that ``goal_text.goal_of`` reads back.
        words: for a reader, to stand after "a logP of"; as ``short`` where there is nothing to explain.
        ends: from where to where a value is as good as asked for; None where more is always better.
        distance: of values, given the mean and the standard deviation of the data. NaN stays NaN.
        minus_log: minus the logarithm of the desirability, between 0 and 1, of a distance. By default that of
            ``exp(-distance)``, which is the distance.
        in_deviations: whether distances are in standard deviations of the data; else they are 0 to 1.
        has_gradient: whether distances change with values, however little these change.
    """

    short: float | str
    words: float | str
    ends: tuple[float, float] | None
    distance: Callable[[Tensor, float, float], Tensor]
    minus_log: Callable[[Tensor], Tensor] = _same
    in_deviations: bool = True
    has_gradient: bool = True


def value(number: float) -> Goal:
    """A value."""

    def distance(values: Tensor, mean: float, std: float) -> Tensor:
        return abs(values - number) / std

    return Goal(number, number, (number, number), distance)


def extreme(which: Literal["max", "min"]) -> Goal:
    """As much, or as little, as can be had.

    A distance below 0 goes on without an end, so the desirability is ``1 / (1 + exp(distance))``.
    """

    def distance(values: Tensor, mean: float, std: float) -> Tensor:
        return (mean - values) / std if which == "max" else (values - mean) / std

    return Goal(which, which, None, distance, softplus)


def range_of(low: float, high: float) -> Goal:
    """Between two values, of which one may be infinite.

    Raises:
        TargetError: both are, or the lower one comes second.

    Example:
        >>> range_of(1, 3).short, range_of(1, math.inf).words
        ('1..3', 'at least 1')
    """
    first, last = ("" if math.isinf(end) else _written(end) for end in (low, high))
    if not first and not last:
        raise TargetError("goal: got a range without an end, expected at least one, such as 1.. or ..3")
    if low > high:
        raise TargetError(f"goal: got {first}..{last}, expected the lower end first")

    def distance(values: Tensor, mean: float, std: float) -> Tensor:
        return ((low - values).clamp(min=0) + (values - high).clamp(min=0)) / std

    words = f"{low:.4g} to {high:.4g}"
    if not first or not last:
        words = f"at most {high:.4g}" if not first else f"at least {low:.4g}"
    return Goal(f"{first}..{last}", words, (low, high), distance)


def step(at: float, below: bool = False) -> Goal:
    """0 from a value on, or below it, and 1 elsewhere; nothing in between, and no gradient.

    Example:
        >>> step(500.0, below=True).short, step(0.6).words
        ('step(<500)', 'at least 0.6')
    """

    def distance(values: Tensor, mean: float, std: float) -> Tensor:
        reached = values < at if below else values >= at
        # what is NaN stays NaN, and a graph of gradients stays one
        return (~reached).to(values.dtype) + 0.0 * values

    return Goal(
        f"step({'<' * below}{_written(at)})",
        f"{'less than' if below else 'at least'} {at:.4g}",
        (-math.inf, at) if below else (at, math.inf),
        distance,
        _floored,
        in_deviations=False,
        has_gradient=False,
    )


def sigmoid(middle: float, width: float) -> Goal:
    """A smooth step: ``1 - 1 / (1 + exp((middle - value) / width))``; of a negative width it rises.

    Raises:
        TargetError: the width is 0.

    Example:
        >>> sigmoid(0.6, 0.1).short, sigmoid(500.0, -20.0).words
        ('sigmoid(0.6,0.1)', 'about 500 or less')
    """
    short = f"sigmoid({_written(middle)},{_written(width)})"
    if not width:
        raise TargetError(f"goal: got {short}, expected a width that is not 0, such as 0.1 or -0.1")

    def distance(values: Tensor, mean: float, std: float) -> Tensor:
        return torch.sigmoid((middle - values) / width)

    return Goal(
        short,
        f"about {middle:.4g} or {'more' if width > 0 else 'less'}",
        (middle, math.inf) if width > 0 else (-math.inf, middle),
        distance,
        _floored,
        in_deviations=False,
    )


def _written(number: float) -> str:
    """As short as can be read back to the same number."""
    number = float(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
