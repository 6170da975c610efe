"""What drawn molecules are steered to, and how far they are from it."""

import math
from builtins import property as builtin_property
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from softdraw.molecules.chemistry.properties import PROPERTIES, Property, property_of
from softdraw.molecules.errors import TargetError
from softdraw.molecules.steering.goal_text import goal_of
from softdraw.molecules.steering.goals import Goal

__all__ = ["Target", "Values", "default_target", "distance", "parse_target", "targets_from"]

Values = TypeVar("Values", NDArray[np.float64], Tensor)
"""An array or a tensor, and the same again."""


@dataclass(frozen=True, init=False)
class Target:
    """A property and where it should go.

    Args:
        property: a name that ``properties.property_of`` knows (``"qed"`` in any case, ``"module:function"``),
            a ``Property``, or a function from an RDKit molecule to a number.
        goal: a value, ``"max"`` or ``"min"``; a range, as its two ends ``(1, 3)``, of which one may be None,
            or as text ``"1..3"``, ``">=1"``, ``"<=3"``; ``"step(0.6)"``, ``"step(<500)"`` or
            ``"sigmoid(0.6,0.1)"`` (see ``distance``).
        weight: how much it counts beside other targets.

    Attributes:
        property: its name.
        goal: a number, or text in its shortest form.

    Raises:
        TargetError: the property is unknown, the goal none of these, or the weight not a positive number.

    Example:
        >>> Target("QED", "max", 0.5)
        Target(property='qed', goal='max', weight=0.5)
        >>> str(Target("logp", 2.5)), str(Target("logp", (1, 3))), str(Target("mw", "<=500"))
        ('logp=2.5', 'logp=1..3', 'mw=..500')
        >>> def rings(mol):
        ...     return mol.GetRingInfo().NumRings()
        >>> Target(rings, 2).record.label
        'rings'
    """

    property: str
    goal: float | str
    weight: float
    own: Property | None = field(repr=False)

    def __init__(
        self,
        property: str | Property | Callable[..., Any],  # noqa: A002 - the word that users write
        goal: float | str | tuple[float | None, float | None],
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
        short = goal_of(goal, f"goal of {name}").short
        number = _finite(weight, f"weight of {name}", "a positive number")
        if number <= 0:
            raise TargetError(f"weight of {name}: got {number}, expected a positive number")
        for attribute, value in (("property", name), ("goal", short), ("weight", number), ("own", own)):
            object.__setattr__(self, attribute, value)

    @builtin_property
    def record(self) -> Property:
        """The property's record.

        Raises:
            TargetError: its module or function does not exist.
        """
        return self.own or property_of(self.property)

    @builtin_property
    def aim(self) -> Goal:
        """The goal as what knows how far a value is from it."""
        return goal_of(self.goal)

    @builtin_property
    def which(self) -> str | Property:
        """What computes the property: its record where it is the user's own, else its name."""
        return self.property if self.own is None else self.own

    def __str__(self) -> str:
        goal = self.goal if isinstance(self.goal, str) else f"{self.goal:g}"
        return f"{self.property}={goal}" + ("" if self.weight == 1 else f"@{self.weight:g}")


def parse_target(text: str) -> Target:
    """A target as written on the command line: ``property=goal`` or ``property=goal@weight``.

    The property may hold ``=`` and ``@``, as SMILES and SMARTS do: the goal begins after the last ``=``. A
    range with one end may be written ``property>=goal`` or ``property<=goal``.

    Raises:
        TargetError: the text is not of this form, or its parts are refused by ``Target``.

    Example:
        >>> parse_target("logp=2.5")
        Target(property='logp', goal=2.5, weight=1.0)
        >>> parse_target("qed=max@0.5")
        Target(property='qed', goal='max', weight=0.5)
        >>> parse_target("mw<=500"), parse_target("logp=1..3@2")
        (Target(property='mw', goal='..500', weight=1.0), Target(property='logp', goal='1..3', weight=2.0))
    """
    before, equals, rest = str(text).rpartition("=")
    goal, at, weight = rest.partition("@")
    name, goal = before.strip(), goal.strip()
    if goal and name[-1:] in ("<", ">"):
        name, goal = name[:-1].strip(), f"{name[-1]}={goal}"
    if not (name and equals and goal) or (at and not weight.strip()):
        raise TargetError(
            f"target: got {text!r}, expected property=goal or property=goal@weight, such as logp=2.5, "
            "qed=max@0.5, logp=1..3 or mw<=500"
        )
    return Target(name, goal, _weight(weight.strip()) if at else 1.0)


def targets_from(targets: Target | str | Mapping[Any, Any] | Iterable[Target | str]) -> list[Target]:
    """Targets in any of the forms that a user may write.

    Args:
        targets: a mapping from property (a name, a ``Property`` or a function of a molecule) to a goal (a
            value, or text as for ``Target``), or to a goal and a weight: ``(1, 3)`` is here the value 1 with
            weight 3, and the range is ``"1..3"``; or one target or several, as ``Target`` or as text (see
            ``parse_target``).

    Returns:
        At least one target, each property once.

    Raises:
        TargetError: there is none, one cannot be understood, or a property comes twice.

    Example:
        >>> [str(target) for target in targets_from({"logp": 2.5, "qed": ("max", 0.5)})]
        ['logp=2.5', 'qed=max@0.5']
        >>> [str(target) for target in targets_from({"logp": "1..3", "mw": ("<=500", 2)})]
        ['logp=1..3', 'mw=..500@2']
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


def distance(values: Values, target: Target, mean: float, std: float, combine: str = "sum") -> Values:
    """How far molecules are from a target, where it can be in standard deviations of the data.

    - Towards a value it is ``|value - goal| / std``.
    - Of a range it is 0 inside, and outside the way to the nearer end, divided by ``std``.
    - Towards ``"max"`` it is ``(mean - value) / std``, towards ``"min"`` ``(value - mean) / std``: 0 at the
      mean of the data and negative beyond it, so that what is gained is the amount by which it falls.
    - Of ``step(a)`` it is 0 for a value of ``a`` or more, else 1; of ``step(<a)`` 0 below ``a``, else 1.
    - Of ``sigmoid(a,w)`` it is ``1 - 1 / (1 + exp((a - value) / w))``: near 1 below ``a`` and near 0 above,
      and the other way round where ``w`` is negative.

    Where targets are multiplied, it is minus the logarithm of the desirability that such a distance ``d``
    has: of a value and a range ``exp(-d)``, so that it is ``d`` again, of a maximum and a minimum
    ``1 / (1 + exp(d))``, of a step and a sigmoid ``0.001 + 0.999 (1 - d)``, which is never 0.

    Args:
        values: the property, an array or a tensor of any shape; gradients pass. NaN stays NaN.
        target: the target.
        mean: mean of the property over the data.
        std: its standard deviation; steps and sigmoids need neither.
        combine: how targets are put together, ``"sum"`` or ``"product"``.

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
        >>> distance(np.array([1.0, 3.0, 5.0]), Target("logp", (2, 4)), mean=0.5, std=0.5)
        array([2., 0., 2.])
        >>> distance(np.array([1.0, 3.0]), Target("logp", "step(2)"), mean=0.5, std=0.0)
        array([1., 0.])
        >>> distance(np.array([0.5]), Target("logp", "max"), 0.5, 0.5, "product").round(3)  # log(2)
        array([0.693])
    """
    aim = target.aim
    if aim.in_deviations and not (math.isfinite(mean) and math.isfinite(std) and std > 0):
        raise TargetError(
            f"{target.property}: the data has mean {mean} and standard deviation {std}, expected it to vary"
        )
    given = values if isinstance(values, Tensor) else torch.tensor(values, dtype=torch.float64)
    found = aim.distance(given, mean, std)
    found = aim.minus_log(found) if combine == "product" else found
    return found if isinstance(values, Tensor) else found.numpy()


def _from_pair(which: Any, value: Any) -> Target:
    if not isinstance(value, tuple | list):
        return Target(which, value)
    if len(value) != 2:
        name = which if isinstance(which, str) else property_of(which).name
        raise TargetError(
            f"target of {name}: got {value!r}, expected (goal, weight); a range is text, such as '1..3'"
        )
    return Target(which, value[0], value[1])


def _weight(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise TargetError(f"weight: got {text!r}, expected a positive number") from None


def _finite(value: Any, what: str, expected: str) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise TargetError(f"{what}: got {value!r}, expected {expected}")
    return float(value)
