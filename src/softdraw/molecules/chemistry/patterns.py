"""Patterns that a molecule must or must not hold: SMARTS of a file, or a set that is known by name."""

import os
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, DataStructs, rdBase
from rdkit.Chem.FilterCatalog import FilterCatalog, FilterCatalogParams

from softdraw.molecules.errors import DataError

__all__ = ["PATTERN_SETS", "Patterns", "read_patterns"]

_CATALOGUES = FilterCatalogParams.FilterCatalogs
_MOSES = Path(__file__).with_name("moses.smarts")

PATTERN_SETS = ("moses", *sorted(name.lower() for name in _CATALOGUES.names))
"""What ``read_patterns`` knows by name: the filters of MOSES, and the catalogues of RDKit."""

_SCREENED = 32
"""Patterns from which a fingerprint of the molecule pays, which takes as long as some 30 matches."""
_BITS = 2048


@runtime_checkable
class Patterns(Protocol):
    """A set of patterns.

    Hydrogens need not be written out: one that stands in a pattern as an atom is matched against the hydrogen
    count of its neighbour.

    Attributes:
        source: the file, or the name of the set.
        names: of the patterns, in their order.
    """

    source: str
    names: tuple[str, ...]

    def matches(self, mol: Chem.Mol) -> str | None:
        """The name of the first pattern that the molecule holds, or None where it holds none."""

    def all_matches(self, mol: Chem.Mol) -> list[str]:
        """The names of all patterns that the molecule holds."""


def read_patterns(source: str | os.PathLike[str]) -> Patterns:
    """Patterns of a file, or of a set by its name.

    Args:
        source: a file with a SMARTS on each line and, after a blank or a tab, its name if it has one; a line
            that begins with ``#`` is a comment. Or one of ``PATTERN_SETS``, in any case: ``"moses"`` (the
            filters of MOSES: medicinal chemistry filters, PAINS, its elements, no charge, no ring of 8 or
            more; Polykovskiy et al. 2020, arXiv:1811.12823), or a catalogue of RDKit: ``"pains"``,
            ``"brenk"``, ``"nih"``, ``"zinc"``, ``"chembl"`` and the parts of them.

    Returns:
        The patterns.

    Raises:
        DataError: there is no such file or set, the file is no text, holds no pattern, or a line of it is no
            SMARTS.

    Example:
        >>> from rdkit import Chem
        >>> pains = read_patterns("pains")
        >>> pains.matches(Chem.MolFromSmiles("O=C1C=CC(=O)C=C1")), pains.matches(Chem.MolFromSmiles("CCO"))
        ('quinone_A(370)', None)
    """
    name = os.fspath(source)
    if name.lower() in PATTERN_SETS:
        return _known(name.lower())
    return _Smarts(name, list(_lines(name)))


@cache
def _known(name: str) -> Patterns:
    if name == "moses":
        return _Smarts(name, list(_lines(str(_MOSES))))
    return _Catalogue(name)


def _lines(name: str) -> Iterator[tuple[str, Chem.Mol]]:
    """Name and query of every pattern in a file."""
    try:
        text = Path(name).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        sets = ", ".join(PATTERN_SETS)
        raise DataError(f"{name}: no such file, expected a file of SMARTS or one of {sets}") from None
    except OSError as error:
        raise DataError(f"{name}: cannot be read ({error.strerror or error})") from error
    except UnicodeDecodeError:
        raise DataError(f"{name}: not a text file, expected SMARTS as text in UTF-8") from None
    empty = True
    with rdBase.BlockLogs():
        for number, line in enumerate(text.splitlines(), 1):
            smarts, *rest = line.split(maxsplit=1)[:2] or [""]
            if not smarts or smarts.startswith("#"):
                continue
            empty = False
            query: Chem.Mol | None = Chem.MolFromSmarts(smarts)
            if query is None:
                raise DataError(f"{name}: line {number}: {smarts!r} is no SMARTS")
            yield rest[0].strip() if rest else smarts, Chem.MergeQueryHs(query)
    if empty:
        raise DataError(f"{name}: holds no pattern, expected a SMARTS on each line")


class _Smarts:
    """Patterns of a file. Of many, a fingerprint tells most that cannot match: 15 times faster for PAINS."""

    def __init__(self, source: str, patterns: Sequence[tuple[str, Chem.Mol]]) -> None:
        self.source = source
        self.names = tuple(name for name, _ in patterns)
        self._queries = [query for _, query in patterns]
        many = len(patterns) >= _SCREENED
        self._screen = np.stack([_fingerprint(query) for query in self._queries]) if many else None

    def matches(self, mol: Chem.Mol) -> str | None:
        return next(self._found(mol), None)

    def all_matches(self, mol: Chem.Mol) -> list[str]:
        return list(self._found(mol))

    def _found(self, mol: Chem.Mol) -> Iterator[str]:
        for index in self._possible(mol):
            if mol.HasSubstructMatch(self._queries[index]):
                yield self.names[index]

    def _possible(self, mol: Chem.Mol) -> Sequence[int]:
        if self._screen is None:
            return range(len(self._queries))
        missing = self._screen & ~_fingerprint(mol)
        return np.flatnonzero(~missing.any(1)).tolist()


def _fingerprint(mol: Chem.Mol) -> NDArray[np.uint64]:
    """Bits of which a molecule has all that a pattern in it has."""
    text = DataStructs.BitVectToBinaryText(Chem.PatternFingerprint(mol, _BITS))
    return np.frombuffer(text, dtype=np.uint64)


class _Catalogue:
    """A catalogue that RDKit carries; its SMARTS cannot be had, so each is matched."""

    def __init__(self, name: str) -> None:
        self.source = name
        self._catalogue = FilterCatalog(
            next(known for word, known in _CATALOGUES.names.items() if word.lower() == name)
        )
        count = self._catalogue.GetNumEntries()
        self.names = tuple(self._catalogue.GetEntryWithIdx(index).GetDescription() for index in range(count))

    def matches(self, mol: Chem.Mol) -> str | None:
        entry = self._catalogue.GetFirstMatch(mol)
        return None if entry is None else entry.GetDescription()

    def all_matches(self, mol: Chem.Mol) -> list[str]:
        return [entry.GetDescription() for entry in self._catalogue.GetMatches(mol)]
