"""The atom types that a set of molecules is made of, and how many bonds each may form."""

import json
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from rdkit import Chem, rdBase

__all__ = ["STRICT", "AtomType", "Vocabulary", "largest_valence"]

_FLAGS = Chem.SanitizeFlags
STRICT = (
    _FLAGS.SANITIZE_ALL
    ^ _FLAGS.SANITIZE_CLEANUP
    ^ _FLAGS.SANITIZE_CLEANUP_ORGANOMETALLICS
    ^ _FLAGS.SANITIZE_CLEANUPCHIRALITY
    ^ _FLAGS.SANITIZE_CLEANUPATROPISOMERS
)
"""RDKit's sanitisation without the steps that rewrite a molecule, as ``CN(=O)=O`` to ``C[N+](=O)[O-]``."""

_UNLIMITED = 8


class AtomType(NamedTuple):
    """An element and its formal charge.

    Example:
        >>> str(AtomType("N", 1)), str(AtomType("Cl", 3)), str(AtomType("C", 0))
        ('N+', 'Cl+3', 'C')
    """

    symbol: str
    charge: int = 0

    def __str__(self) -> str:
        if self.charge == 0:
            return self.symbol
        size = abs(self.charge)
        return f"{self.symbol}{'+' if self.charge > 0 else '-'}{size if size > 1 else ''}"


@cache
def _atomic_number(symbol: str) -> int:
    number = 0
    if isinstance(symbol, str) and symbol.isalpha():
        with rdBase.BlockLogs():
            try:
                number = Chem.GetPeriodicTable().GetAtomicNumber(symbol)
            except RuntimeError:
                number = 0
    if number < 1:
        raise ValueError(f"symbol: got {symbol!r}, expected the symbol of an element, such as 'C' or 'Cl'")
    return int(number)


@cache
def largest_valence(atom_type: AtomType) -> int:
    """The largest sum of bond orders at which RDKit still accepts this atom, found by asking it.

    An atom gets one more single bond to carbon until sanitisation refuses. Elements for which RDKit knows no
    limit (most metals) get 8.

    Args:
        atom_type: element and formal charge.

    Returns:
        The valence, 0 for an atom that may not be bonded at all.

    Raises:
        ValueError: the symbol is no element.

    Example:
        >>> [largest_valence(AtomType(*atom_type)) for atom_type in [("N", 0), ("N", 1), ("O", -1), ("S", 0)]]
        [3, 4, 1, 6]
    """
    number = _atomic_number(atom_type.symbol)
    allowed = 0
    with rdBase.BlockLogs():
        for bonds in range(1, _UNLIMITED + 1):
            probe = Chem.RWMol()
            atom = Chem.Atom(number)
            atom.SetFormalCharge(atom_type.charge)
            probe.AddAtom(atom)
            for _ in range(bonds):
                probe.AddBond(0, probe.AddAtom(Chem.Atom(6)), Chem.BondType.SINGLE)
            if Chem.SanitizeMol(probe, STRICT, catchErrors=True) == _FLAGS.SANITIZE_NONE:
                allowed = bonds
    return allowed


class Vocabulary:
    """An immutable, ordered set of atom types: the classes among which the type of an atom is drawn.

    Types are ordered by atomic number, then charge, whatever order they come in; duplicates count once. So
    two vocabularies of the same types are equal and give the same indices.

    Args:
        types: atom types, or ``(symbol, charge)`` pairs; at most 255.

    Attributes:
        types: the atom types in order.
        valences: for each type, the largest sum of bond orders that RDKit allows (see ``largest_valence``).
        names: for each type, a short name such as ``"N+"``.

    Raises:
        ValueError: no type, too many, a charge that is no integer, or a symbol that is no element.

    Example:
        >>> vocabulary = Vocabulary([AtomType("O", -1), AtomType("C"), AtomType("N", 1)])
        >>> vocabulary.names, vocabulary.valences
        (('C', 'N+', 'O-'), (4, 4, 1))
        >>> vocabulary.index(AtomType("N", 1))
        1
    """

    __slots__ = ("_index", "names", "types", "valences")

    types: tuple[AtomType, ...]
    valences: tuple[int, ...]
    names: tuple[str, ...]

    def __init__(self, types: Sequence[AtomType]) -> None:
        distinct = set()
        for symbol, charge in types:
            if isinstance(charge, bool) or not isinstance(charge, int):
                raise ValueError(f"types: got charge {charge!r} for {symbol!r}, expected an integer")
            distinct.add(AtomType(symbol, charge))
        if not 1 <= len(distinct) <= 255:
            raise ValueError(f"types: got {len(distinct)} atom types, expected 1 to 255")
        ordered = tuple(
            sorted(distinct, key=lambda atom_type: (_atomic_number(atom_type.symbol), atom_type.charge))
        )
        object.__setattr__(self, "types", ordered)
        object.__setattr__(self, "valences", tuple(largest_valence(atom_type) for atom_type in ordered))
        object.__setattr__(self, "names", tuple(str(atom_type) for atom_type in ordered))
        object.__setattr__(self, "_index", {atom_type: index for index, atom_type in enumerate(ordered)})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"Vocabulary is immutable: cannot set {name!r}")

    def __reduce__(self) -> tuple[type["Vocabulary"], tuple[tuple[AtomType, ...]]]:
        return Vocabulary, (self.types,)

    def __len__(self) -> int:
        return len(self.types)

    def __iter__(self) -> Iterator[AtomType]:
        return iter(self.types)

    def __contains__(self, atom_type: object) -> bool:
        return atom_type in self._index

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.types == other.types

    def __hash__(self) -> int:
        return hash(self.types)

    def __repr__(self) -> str:
        return f"Vocabulary({', '.join(self.names)})"

    _index: dict[AtomType, int]

    def index(self, atom_type: AtomType) -> int:
        """The class of an atom type.

        Raises:
            ValueError: the vocabulary does not hold it.
        """
        try:
            return self._index[AtomType(*atom_type)]
        except KeyError:
            raise ValueError(
                f"atom_type: got {AtomType(*atom_type)}, expected one of {', '.join(self.names)}"
            ) from None

    def to_json(self) -> str:
        """The types as JSON text: a list of ``[symbol, charge]``."""
        return json.dumps([list(atom_type) for atom_type in self.types])

    @classmethod
    def from_json(cls, text: str) -> "Vocabulary":
        """Read back what ``to_json`` wrote.

        Raises:
            ValueError: the text is not a JSON list of ``[symbol, charge]``.

        Example:
            >>> Vocabulary.from_json('[["C", 0], ["O", 0]]')
            Vocabulary(C, O)
        """
        try:
            pairs = [(symbol, charge) for symbol, charge in json.loads(text)]
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"text: got {str(text)[:60]!r}, expected a JSON list of [symbol, charge]"
            ) from error
        return cls([AtomType(symbol, charge) for symbol, charge in pairs])
