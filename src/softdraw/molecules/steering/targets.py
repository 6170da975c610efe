"""What drawn molecules are steered to, and how far they are from it."""

import math
from builtins import property as builtin_property
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.chemistry.properties import PROPERTIES, Property, property_of
from softdraw.molecules.errors import TargetError

__all__ = ["Target", "default_target", "distance", "parse_target", "targets_from"]

Values = TypeVar("Values", NDArray[np.float64], Tensor)


@dataclass(frozen=True, init=False)
class Target:
    """A property and where it should go.

    Args:
        property: a name that ``properties.property_of`` knows (``"qed"`` in any case, ``"module:function"``),
            a ``Property``, or a function from an RDKit molecule to a number.
        goal: a value, ``"max"`` or ``"min"``.
        weight: how much it counts beside other targets.

    Attributes:
        property: its name.

    Raises:
        TargetError: the property is unknown, the goal neither a finite number nor ``"max"`` or ``"min"``, or
            the weight not a positive number.

    Example:
        >>> Target("QED", "max", 0.5)
        Target(property='qed', goal='max', weight=0.5)
        >>> str(Target("logp", 2.5))
        'logp=2.5'
        >>> def rings(mol):
        ...     return mol.GetRingInfo().NumRings()
        >>> Target(rings, 2).record.label
        'rings'
    """

    property: str
    goal: float | Literal["max", "min"]
    weight: float
    own: Property | None = field(repr=False)

    def __init__(
        self,
        property: str | Property | Callable[..., Any],  # noqa: A002 - the word that users write
        goal: float | Literal["max", "min"],
        weight: float = 1.0,
    ) -> None:
        own = None
        if isinstance(property, str) and ":" in property:
            name = property  # whose module is imported when it is first computed
        else:
            record = property_of(property)
            name = record.name
            own = None if PROPERTIES.get(name) is record else record
            if own is not None and name in PROPERTIES:
                raise TargetError(
                    f"property: got one of your own called {name!r}, expected another name than softdraw's"
                )
        lowered = goal.lower() if isinstance(goal, str) else goal
        if lowered not in ("max", "min"):
            lowered = _finite(goal, f"goal of {name}", "a number, 'max' or 'min'")
        number = _finite(weight, f"weight of {name}", "a positive number")
        if number <= 0:
            raise TargetError(f"weight of {name}: got {number}, expected a positive number")
        for attribute, value in (("property", name), ("goal", lowered), ("weight", number), ("own", own)):
            object.__setattr__(self, attribute, value)

    @builtin_property
    def record(self) -> Property:
        """The property's record.

        Raises:
            TargetError: its module or function does not exist.
        """
        return self.own or property_of(self.property)

    @builtin_property
    def which(self) -> str | Property:
        """What computes the property: its record where it is the user's own, else its name."""
        return self.property if self.own is None else self.own

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


def targets_from(targets: Target | str | Mapping[Any, Any] | Iterable[Target | str]) -> list[Target]:
    """Targets in any of the forms that a user may write.

    Args:
        targets: a mapping from property (a name, a ``Property`` or a function of a molecule) to a value, to
            ``"max"`` or ``"min"``, or to one of these and a weight; or one target or several, as ``Target``
            or as text (see ``parse_target``).

    Returns:
        At least one target, each property once.

    Raises:
        TargetError: there is none, one cannot be understood, or a property comes twice.

    Example:
        >>> [str(target) for target in targets_from({"logp": 2.5, "qed": ("max", 0.5)})]
        ['logp=2.5', 'qed=max@0.5']
        >>> [str(target) for target in targets_from(["tpsa=min", Target("mw", 120)])]
        ['tpsa=min', 'mw=120']
        >>> def rings(mol):
        ...     return mol.GetRingInfo().NumRings()
        >>> [target.goal for target in targets_from({rings: "max"})]
        ['max']
    """
    if isinstance(targets, Target | str):
        targets = [targets]
    if isinstance(targets, Mapping):
        chosen = [_from_pair(which, value) for which, value in targets.items()]
    elif isinstance(targets, Iterable):
        chosen = [entry if isinstance(entry, Target) else parse_target(entry) for entry in targets]
    else:
        raise TargetError(f"targets: got {type(targets).__name__}, expected a mapping or a list of targets")
    if not chosen:
        raise TargetError("targets: got none, expected at least one, such as {'logp': 2.5}")
    names = [target.property for target in chosen]
    for name in names:
        if names.count(name) > 1:
            raise TargetError(f"targets: {name} comes {names.count(name)} times, expected once")
    return chosen


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


def _from_pair(which: Any, value: Any) -> Target:
    if isinstance(value, tuple | list):
        if len(value) != 2:
            name = which if isinstance(which, str) else property_of(which).name
            raise TargetError(f"target of {name}: got {value!r}, expected (goal, weight)")
        return Target(which, _goal(value[0]), value[1])
    return Target(which, _goal(value))


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
