"""The record of a property: how it is computed, what it is called, how it is written."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from softdraw.arguments import read_number, wrong_type

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["WORDS", "Property", "as_number"]

WORDS = ("label", "unit", "digits", "scale", "lowest", "highest")
"""Fields of a property that a report needs to write about it."""


def _missing(mol: "Chem.Mol") -> float:
    raise NotImplementedError  # stands for a missing argument, which ``Property`` refuses


@dataclass(frozen=True)
class Property:
    """A property of a molecule.

    Called with an RDKit molecule it gives its number. The properties that come with softdraw are in
    ``PROPERTIES``; a function of your own becomes one by ``Property.of``, or with a label and a unit by
    ``Property("score", "my score", "", 2, function)``. A function that takes a list of molecules, and gives
    as many numbers, says so by an attribute, ``function.batched = True``, or here by ``batched``.

    Args:
        name: what targets, files and the command line call it.
        label: what a report calls it; by default the last part of the name.
        unit: of the values, empty where there is none.
        digits: after the point, where a value is written; None writes three significant ones.
        compute: from an RDKit molecule to a number, or from a list of them to as many.
        additive: what an atom of a symbol adds to it, where the property is such a sum: it is then exact on
            drawn graphs and needs no property network.
        scale: what the ends of the values mean, where there is no unit.
        lowest: what steering to ``"min"`` asks for, in a chemist's words.
        highest: what steering to ``"max"`` asks for.
        shown: whether a report shows it without being asked.
        compared: whether scores compare its distribution with the reference.
        batched: whether ``compute`` takes a list of molecules, of 64 at most.
        spread: a spread that is known beforehand, in the units of the values, where the property is a score
            whose range is known: it stands in for the standard deviation of the data, so that no molecule of
            the data has to be evaluated for a scale, and a score that is 0 for all of them can be steered to.

    Raises:
        TypeError: the name is no text, ``compute`` no function, or ``spread`` no number.
        ValueError: ``spread`` is not positive and finite.

    Example:
        >>> from rdkit import Chem
        >>> rings = Property("rings", digits=0, compute=lambda mol: mol.GetRingInfo().NumRings())
        >>> rings.written(rings(Chem.MolFromSmiles("C1CC1")))
        '1'
    """

    name: str
    label: str = ""
    unit: str = ""
    digits: int | None = None
    compute: Callable[[Any], Any] = _missing
    additive: Callable[[str], float] | None = None
    scale: str = ""
    lowest: str = ""
    highest: str = ""
    shown: bool = False
    compared: bool = False
    batched: bool = False
    spread: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise wrong_type("name", self.name, "a name of the property")
        if self.compute is _missing or not callable(self.compute):
            raise wrong_type(
                "compute",
                None if self.compute is _missing else self.compute,
                "a function of an RDKit molecule",
            )
        if self.spread is not None:
            object.__setattr__(self, "spread", read_number("spread", self.spread, above=0.0, below=math.inf))
        if not self.label:
            object.__setattr__(self, "label", _last_part(self.name))

    @classmethod
    def of(cls, function: Callable[["Chem.Mol"], Any]) -> "Property":
        """A property from a function, named after its module and itself; of lists where it is ``batched``.

        Example:
            >>> from rdkit.Chem.Lipinski import NumRotatableBonds
            >>> Property.of(len).name
            'builtins:len'
        """
        if isinstance(function, cls):
            return function
        named = function if hasattr(function, "__qualname__") else type(function)
        name = f"{named.__module__}:{named.__qualname__}"
        return cls(name, compute=function, batched=bool(getattr(function, "batched", False)))

    def __call__(self, mol: "Chem.Mol") -> float:
        """The property of a molecule as a float; whatever the function raises, and NaN, pass."""
        return as_number(self.compute([mol])[0] if self.batched else self.compute(mol))

    @property
    def title(self) -> str:
        """The label with its unit or scale."""
        return ", ".join(filter(None, (self.label, self.unit or self.scale)))

    def written(self, value: float) -> str:
        """A value as text, without its unit."""
        return f"{value:.3g}" if self.digits is None else f"{value:.{self.digits}f}"

    def goal_text(self, goal: Any) -> str:
        """A goal of steering in words.

        Example:
            >>> weight = Property("mw", "weight", "g/mol", 0, len)
            >>> weight.goal_text(300), weight.goal_text("max")
            ('a weight of 300 g/mol', 'the highest weight')
        """
        if goal == "max":
            return self.highest or f"the highest {self.label}"
        if goal == "min":
            return self.lowest or f"the lowest {self.label}"
        number = f"{goal:.4g}" if isinstance(goal, int | float) else str(goal)
        if self.additive is not None and not self.unit:
            return f"{number} {self.label}"
        return f"a {self.label} of {number}" + f" {self.unit}" * bool(self.unit)

    def words(self) -> dict[str, Any]:
        """All but the function, ready for JSON: what a report needs, which imports nobody's module."""
        return {name: getattr(self, name) for name in WORDS}


def as_number(value: Any) -> float:
    """What a user's function gave, as a float: a number, or a tensor or an array of one.

    Example:
        >>> as_number(3)
        3.0
    """
    return float(value.item() if hasattr(value, "item") else value)


def _last_part(name: str) -> str:
    last = name.rpartition(":")[2].rpartition(".")[2]
    return "lambda" if last == "<lambda>" else last or name
