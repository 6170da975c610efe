"""Goals as users write them: numbers, text, the ends of a range."""

import math
import re
from numbers import Real
from typing import Any

from softdraw.molecules.errors import TargetError
from softdraw.molecules.steering.goals import Goal, extreme, range_of, sigmoid, step, value

__all__ = ["goal_of", "known_goal"]

EXPECTED = (
    "a number, 'max', 'min', a range such as 1..3, ..3 or 1.., step(0.6), step(<500) or sigmoid(0.6,0.1)"
)

_CALL = re.compile(r"(step|sigmoid)\s*\((.*)\)")


def goal_of(goal: Any, what: str = "goal") -> Goal:
    """A goal as a user writes it.

    Args:
        goal: a number; text, in any case: a number, ``max``, ``min``, a range ``1..3`` whose ends may be
            left out, ``>=1``, ``<=3``, ``step(0.6)``, ``step(<500)``, ``sigmoid(0.6,0.1)``; or the two ends
            of a range, of which one may be None.
        what: names it in messages.

    Raises:
        TargetError: it is none of these.

    Example:
        >>> [goal_of(goal).short for goal in (2, "2.50", "MAX", "1..3", (None, 3), "<=500")]
        [2.0, 2.5, 'max', '1..3', '..3', '..500']
        >>> goal_of("step(<500)").short, goal_of("sigmoid(0.6, 0.1)").short
        ('step(<500)', 'sigmoid(0.6,0.1)')
    """
    if isinstance(goal, str):
        return _read(goal.strip().lower(), what)
    if isinstance(goal, tuple | list):
        if len(goal) != 2:
            raise TargetError(f"{what}: got {goal!r}, expected the two ends of a range, such as (1, 3)")
        low, high = (None if end is None else _finite(end, what) for end in goal)
        return _range(low, high)
    return value(_finite(goal, what))


def known_goal(goal: Any) -> Goal | None:
    """A goal that stands in the folder of a run; None where it is none, since anybody may have written there.

    Example:
        >>> known_goal("middle"), known_goal("1..3").words
        (None, '1 to 3')
    """
    try:
        return goal_of(goal)
    except TargetError:
        return None


def _read(text: str, what: str) -> Goal:
    if text in ("max", "min"):
        return extreme("max" if text == "max" else "min")
    call = _CALL.fullmatch(text)
    if call:
        return _call(call[1], call[2], text, what)
    if text[:2] in (">=", "<="):
        end = _number(text[2:], text, what)
        return _range(end, None) if text[0] == ">" else _range(None, end)
    low, dots, high = text.partition("..")
    if dots:
        return _range(*(_number(end, text, what) if end.strip() else None for end in (low, high)))
    return value(_number(text, text, what))


def _call(kind: str, inside: str, text: str, what: str) -> Goal:
    below = kind == "step" and inside.strip().startswith("<")
    words = inside.strip()[below:].split(",")
    if len(words) != (1 if kind == "step" else 2):
        form = "step(0.6) or step(<500)" if kind == "step" else "sigmoid(middle,width)"
        raise TargetError(f"{what}: got {text!r}, expected {form}")
    numbers = [_number(word, text, what) for word in words]
    return step(numbers[0], below) if kind == "step" else sigmoid(*numbers)


def _range(low: float | None, high: float | None) -> Goal:
    return range_of(-math.inf if low is None else low, math.inf if high is None else high)


def _number(word: str, text: str, what: str) -> float:
    try:
        number = float(word)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise TargetError(f"{what}: got {text!r}, expected {EXPECTED}")
    return number


def _finite(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise TargetError(f"{what}: got {value!r}, expected {EXPECTED}")
    return float(value)
