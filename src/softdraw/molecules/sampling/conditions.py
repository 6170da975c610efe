"""What is asked of drawn molecules: patterns that none may hold, and patterns that each has to hold."""

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from rdkit import rdBase

from softdraw.arguments import wrong_type
from softdraw.molecules.chemistry.codec import parse_smiles
from softdraw.molecules.chemistry.patterns import Patterns, read_patterns

__all__ = ["Conditions", "Given", "Selection", "selection_line"]

Given = str | os.PathLike[str] | Patterns | Iterable[str | os.PathLike[str] | Patterns]
"""A file of SMARTS, the name of a set of patterns, what ``read_patterns`` gave, or several of these."""

Fault = tuple[bool, str]
"""Whether a forbidden pattern was found (or a required one was not), and the source of the patterns."""


@dataclass(frozen=True)
class Conditions:
    """Patterns that molecules are held to.

    Attributes:
        forbid: a molecule that holds a pattern of one of these is left out.
        require: a molecule has to hold every pattern of all of these.

    Example:
        >>> conditions = Conditions.of(forbid="pains")
        >>> conditions.faults(["CCO", "O=C1C=CC(=O)C=C1", ""])
        [None, (True, 'pains'), None]
    """

    forbid: tuple[Patterns, ...] = ()
    require: tuple[Patterns, ...] = ()

    @classmethod
    def of(cls, forbid: Given = (), require: Given = ()) -> Self:
        """Conditions as a user names them.

        Raises:
            DataError: there is no such file or set, or a line of it is no SMARTS.
            TypeError: something else was given.
        """
        return cls(_patterns("forbid", forbid), _patterns("require", require))

    def __bool__(self) -> bool:
        return bool(self.forbid or self.require)

    def faults(self, smiles: Sequence[str]) -> list[Fault | None]:
        """Why each molecule is left out; None where it is not, and where there is none (``""``)."""
        if not self:
            return [None] * len(smiles)
        known: dict[str, Fault | None] = {"": None}
        with rdBase.BlockLogs():
            for one in smiles:
                if one not in known:
                    known[one] = self._fault(one)
        return [known[one] for one in smiles]

    def _fault(self, smiles: str) -> Fault | None:
        mol = parse_smiles(smiles)
        if mol is None:
            return None
        for patterns in self.forbid:
            if patterns.matches(mol) is not None:
                return True, patterns.source
        for patterns in self.require:
            if len(patterns.all_matches(mol)) < len(patterns.names):
                return False, patterns.source
        return None


@dataclass
class Selection:
    """What was drawn until enough molecules had passed, and why the others did not.

    Attributes:
        smiles: what passed, and what is no molecule (``""``).
        drawn: how many graphs were looked at.
        forbidden: by source, how many were left out for a pattern of it.
        lacking: by source, how many were left out as they lack a pattern of it.
    """

    smiles: list[str] = field(default_factory=list)
    drawn: int = 0
    forbidden: Counter[str] = field(default_factory=Counter)
    lacking: Counter[str] = field(default_factory=Counter)

    def add(self, smiles: str, fault: Fault | None) -> None:
        """One more graph."""
        self.drawn += 1
        if fault is None:
            self.smiles.append(smiles)
        else:
            (self.forbidden if fault[0] else self.lacking)[fault[1]] += 1

    def to_dict(self) -> dict[str, Any]:
        """The counts, ready for JSON."""
        return {
            "drawn": self.drawn,
            "passed": len(self.smiles),
            "forbidden": dict(self.forbidden.most_common()),
            "lacking": dict(self.lacking.most_common()),
        }


def selection_line(summary: Mapping[str, Any]) -> str:
    """What ``Selection.to_dict`` gave, in words.

    Example:
        >>> selection_line({"drawn": 1234, "forbidden": {"pains": 12}, "lacking": {"amide.smarts": 1}})
        'drawn 1,234, left out: 12 forbidden (pains: 12), 1 without what is required (amide.smarts: 1)'
    """
    reasons = [
        f"{sum(counts.values()):,} {what} ({', '.join(f'{name}: {n:,}' for name, n in counts.items())})"
        for what, counts in (
            ("forbidden", summary["forbidden"]),
            ("without what is required", summary["lacking"]),
        )
        if counts
    ]
    return f"drawn {summary['drawn']:,}, left out: {', '.join(reasons) or 'none'}"


def _patterns(name: str, given: Given) -> tuple[Patterns, ...]:
    several = [given] if isinstance(given, str | os.PathLike | Patterns) else given
    if not isinstance(several, Iterable):
        raise wrong_type(name, given, _EXPECTED)
    return tuple(_one(name, entry) for entry in several)


def _one(name: str, given: Any) -> Patterns:
    if isinstance(given, Patterns):
        return given
    if not isinstance(given, str | os.PathLike):
        raise wrong_type(name, given, _EXPECTED)
    return read_patterns(given)


_EXPECTED = "a file of SMARTS, the name of a set of patterns, or several of them"
