"""What drawn molecules are steered to, and how far they are from it."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.chemistry.properties import PROPERTIES
from softdraw.molecules.errors import TargetError

__all__ = ["Target", "default_target", "distance", "parse_target", "targets_from"]

Values = TypeVar("Values", NDArray[np.float64], Tensor)


@dataclass(frozen=True)
class Target:
    """A property and where it should go.

    Attributes:
        property: a name that ``properties.property_function`` knows.
        goal: a value, ``"max"`` or ``"min"``.
        weight: how much it counts beside other targets.

    Raises:
        TargetError: the property is unknown, the goal neither a finite number nor ``"max"`` or ``"min"``, or
            the weight not a positive number.

    Example:
        >>> Target("qed", "max", 0.5)
        Target(property='qed', goal='max', weight=0.5)
        >>> str(Target("logp", 2.5))
        'logp=2.5'
    """

    property: str
    goal: float | Literal["max", "min"]
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.property not in PROPERTIES and ":" not in str(self.property):
            raise TargetError(
                f"property: got {self.property!r}, expected one of {', '.join(PROPERTIES)} or module:function"
            )
        if self.goal not in ("max", "min"):
            object.__setattr__(
                self, "goal", _finite(self.goal, f"goal of {self.property}", "a number, 'max' or 'min'")
            )
        weight = _finite(self.weight, f"weight of {self.property}", "a positive number")
        if weight <= 0:
            raise TargetError(f"weight of {self.property}: got {weight}, expected a positive number")
        object.__setattr__(self, "weight", weight)

    def __str__(self) -> str:
        goal = self.goal if isinstance(self.goal, str) else f"{self.goal:g}"
        return f"{self.property}={goal}" + ("" if self.weight == 1 else f"@{self.weight:g}")


def parse_target(text: str) -> Target:
    """A target as written on the command line: ``property=goal`` or ``property=goal@weight``.

    Raises:
        TargetError: the text is not of this form, or its parts are refused by ``Target``.

    Example:
        >>> parse_target("logp=2.5")
        Target(property='logp', goal=2.5, weight=1.0)
        >>> parse_target("qed=max@0.5")
        Target(property='qed', goal='max', weight=0.5)
    """
    name, equals, rest = str(text).partition("=")
    goal, at, weight = rest.partition("@")
    if not (name.strip() and equals and goal.strip()) or (at and not weight.strip()):
        raise TargetError(
            f"target: got {text!r}, expected property=goal or property=goal@weight, such as logp=2.5"
        )
    return Target(name.strip(), _goal(goal.strip()), _number(weight.strip(), "weight") if at else 1.0)


def targets_from(targets: Target | str | Mapping[str, Any] | Iterable[Target | str]) -> list[Target]:
    """Targets in any of the forms that a user may write.

    Args:
        targets: a mapping from property to a value, to ``"max"`` or ``"min"``, or to one of these and a
            weight; or one target or several, as ``Target`` or as text (see ``parse_target``).

    Returns:
        At least one target, each property once.

    Raises:
        TargetError: there is none, one cannot be understood, or a property comes twice.

    Example:
        >>> [str(target) for target in targets_from({"logp": 2.5, "qed": ("max", 0.5)})]
        ['logp=2.5', 'qed=max@0.5']
        >>> [str(target) for target in targets_from(["tpsa=min", Target("mw", 120)])]
        ['tpsa=min', 'mw=120']
    """
    if isinstance(targets, Target | str):
        targets = [targets]
    if isinstance(targets, Mapping):
        found = [_from_pair(name, value) for name, value in targets.items()]
    elif isinstance(targets, Iterable):
        found = [entry if isinstance(entry, Target) else parse_target(entry) for entry in targets]
    else:
        raise TargetError(f"targets: got {type(targets).__name__}, expected a mapping or a list of targets")
    if not found:
        raise TargetError("targets: got none, expected at least one, such as {'logp': 2.5}")
    names = [target.property for target in found]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"targets: {name} comes {names.count(name)} times, expected once")
    return found


def default_target(mean: float, std: float) -> Target:
    """The target when none is named: a logP of 1.5 standard deviations above the mean of the data.

    Args:
        mean: mean of logP over the data.
        std: its standard deviation.

    Raises:
        TargetError: the two are not finite.

    Example:
        >>> default_target(0.5, 1.0)
        Target(property='logp', goal=2.0, weight=1.0)
    """
    return Target("logp", mean + 1.5 * std)


def distance(values: Values, target: Target, mean: float, std: float) -> Values:
    """How far molecules are from a target, in standard deviations of the data.

    Towards a value it is ``|value - goal| / std``. Towards ``"max"`` it is ``(mean - value) / std``, towards
    ``"min"`` ``(value - mean) / std``: 0 at the mean of the data and negative beyond it, so that in every
    case what is gained is the amount by which the distance falls.

    Args:
        values: the property, an array or a tensor of any shape; gradients pass. NaN stays NaN.
        target: the target.
        mean: mean of the property over the data.
        std: its standard deviation.

    Returns:
        The distance, in the shape of ``values``.

    Raises:
        TargetError: ``std`` is not positive: the property is the same for the whole data set.

    Example:
        >>> import numpy as np
        >>> distance(np.array([1.0, 3.0]), Target("logp", 2.5), mean=0.5, std=0.5)
        array([3., 1.])
        >>> distance(np.array([1.0, 3.0]), Target("logp", "max"), mean=0.5, std=0.5)
        array([-1., -5.])
    """
    if not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise TargetError(
            f"{target.property}: the data has mean {mean} and standard deviation {std}, expected it to vary"
        )
    if target.goal == "max":
        return (mean - values) / std
    if target.goal == "min":
        return (values - mean) / std
    return abs(values - target.goal) / std


def _from_pair(name: str, value: Any) -> Target:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            raise TargetError(f"target of {name}: got {value!r}, expected (goal, weight)")
        return Target(name, _goal(value[0]), value[1])
    return Target(name, _goal(value))


def _goal(value: Any) -> Any:
    if isinstance(value, str):
        return value.lower() if value.lower() in ("max", "min") else _number(value, "goal")
    return value


def _number(text: str, what: str) -> float:
    try:
        return float(text)
    except ValueError:
        expected = "a number, 'max' or 'min'" if what == "goal" else "a positive number"
        raise TargetError(f"{what}: got {text!r}, expected {expected}") from None


def _finite(value: Any, what: str, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise TargetError(f"{what}: got {value!r}, expected {expected}")
    return float(value)
