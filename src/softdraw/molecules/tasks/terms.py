"""What tasks are made of: numbers of a molecule, patterns, formulas, and means of several scores."""

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from softdraw.molecules.tasks.modifiers import Gaussian

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = [
    "Arithmetic",
    "Formula",
    "Geometric",
    "Holds",
    "Like",
    "Number",
    "Term",
    "Through",
    "elements_of",
]

Term = Callable[["Chem.Mol"], float]
"""A number of a molecule."""
_NUMBERS = {
    "logp": "MolLogP",
    "tpsa": "TPSA",
    "weight": "MolWt",
    "bertz": "BertzCT",
    "qed": "qed",
    "donors": "NumHDonors",
    "rotatable bonds": "NumRotatableBonds",
    "rings": "RingCount",
    "aromatic rings": "NumAromaticRings",
}
"""By name, a function of ``rdkit.Chem.Descriptors``."""


@dataclass(frozen=True)
class Number:
    """A number that RDKit computes; ``"atoms of F"`` counts those of an element.

    Example:
        >>> from rdkit import Chem
        >>> mol = Chem.MolFromSmiles("Fc1ccccc1F")
        >>> Number("rings")(mol), Number("atoms of F")(mol)
        (1.0, 2.0)
    """

    name: str

    def __call__(self, mol: "Chem.Mol") -> float:
        """The number."""
        if self.name.startswith("atoms of "):
            symbol = self.name.removeprefix("atoms of ")
            return float(sum(atom.GetSymbol() == symbol for atom in mol.GetAtoms()))
        from rdkit.Chem import Descriptors

        return float(getattr(Descriptors, _NUMBERS[self.name])(mol))


@dataclass(frozen=True)
class Through:
    """A term through a modifier."""

    term: Term
    modifier: Callable[[float], float]

    def __call__(self, mol: "Chem.Mol") -> float:
        """The score."""
        return self.modifier(self.term(mol))


@dataclass(frozen=True)
class Like:
    """How near a number is to what it is for another molecule: a Gaussian of that ``width`` around it."""

    name: str
    smiles: str
    width: float

    @cached_property
    def _score(self) -> Through:
        from rdkit import Chem

        number = Number(self.name)
        return Through(number, Gaussian(number(Chem.MolFromSmiles(self.smiles)), self.width))

    def __call__(self, mol: "Chem.Mol") -> float:
        """The score."""
        return self._score(mol)


@dataclass(frozen=True)
class Holds:
    """Whether a molecule holds a pattern: 1 or 0.

    Args:
        pattern: SMARTS, or SMILES where ``smiles`` says so.
        smiles: whether it is a SMILES: aromaticity is then perceived.
        absent: whether it is 1 where the pattern is not there.

    Example:
        >>> from rdkit import Chem
        >>> phenol = Chem.MolFromSmiles("Oc1ccccc1")
        >>> Holds("[OH]c")(phenol), Holds("C1=CC=CC=C1", smiles=True)(phenol), Holds("N", absent=True)(phenol)
        (1.0, 1.0, 1.0)
    """

    pattern: str
    smiles: bool = False
    absent: bool = False

    @cached_property
    def _query(self) -> Any:
        from rdkit import Chem

        return Chem.MolFromSmiles(self.pattern) if self.smiles else Chem.MolFromSmarts(self.pattern)

    def __call__(self, mol: "Chem.Mol") -> float:
        """1 or 0."""
        return float(mol.HasSubstructMatch(self._query) is not self.absent)

    def __reduce__(self) -> tuple[Any, ...]:
        return Holds, (self.pattern, self.smiles, self.absent)


@dataclass(frozen=True)
class Formula:
    """How near a molecule is to a molecular formula.

    The geometric mean of Gaussians: of the number of atoms of each element, of width 1, and of that of all
    atoms, of width 2.

    Args:
        formula: such as ``"C7H8N2O2"``.
        of_text: count all atoms as the Therapeutics Data Commons did before August 2022, by the capital
            letters of the SMILES and the digits behind them: ring closures count, and hydrogens hardly do.

    Reference:
        https://github.com/mims-harvard/TDC/pull/171 for the second.

    Example:
        >>> from rdkit import Chem
        >>> Formula("C2H6O")(Chem.MolFromSmiles("CCO")), round(Formula("C2H6O")(Chem.MolFromSmiles("CC")), 4)
        (1.0, 0.8553)
    """

    formula: str
    of_text: bool = False

    @cached_property
    def _wanted(self) -> list[tuple[str, int]]:
        return elements_of(self.formula)

    def __call__(self, mol: "Chem.Mol") -> float:
        """The score."""
        hydrogens = sum(atom.GetTotalNumHs() for atom in mol.GetAtoms())
        counts: dict[str, int] = {"H": hydrogens}
        for atom in mol.GetAtoms():
            counts[atom.GetSymbol()] = counts.get(atom.GetSymbol(), 0) + 1
        total = sum(counts.values())
        if self.of_text:
            from rdkit import Chem

            total = sum(count for _, count in elements_of(Chem.MolToSmiles(mol)))
        scores = [Gaussian(number, 1.0)(counts.get(symbol, 0)) for symbol, number in self._wanted]
        return _geometric([*scores, Gaussian(sum(number for _, number in self._wanted), 2.0)(total)])


def elements_of(formula: str) -> list[tuple[str, int]]:
    """Elements of a formula and how many atoms they have.

    Example:
        >>> elements_of("C9H10Cl")
        [('C', 9), ('H', 10), ('Cl', 1)]
    """
    return [(symbol, int(count or 1)) for symbol, count in re.findall(r"([A-Z][a-z]*)(\d*)", formula)]


class _Mean:
    def __init__(self, *terms: Term) -> None:
        self.terms = terms


class Arithmetic(_Mean):
    """The mean of terms: one that is 0 costs its share."""

    def __call__(self, mol: "Chem.Mol") -> float:
        """The mean."""
        return sum(term(mol) for term in self.terms) / len(self.terms)


class Geometric(_Mean):
    """The root of the product of terms: where one is 0, all is."""

    def __call__(self, mol: "Chem.Mol") -> float:
        """The mean."""
        return _geometric([term(mol) for term in self.terms])


def _geometric(scores: list[float]) -> float:
    return math.prod(scores) ** (1.0 / len(scores))
