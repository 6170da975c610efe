"""A filter for diversity: molecules are kept in bins, and those of a crowded bin count less."""

import math
from array import array
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

from softdraw.arguments import read_choice, read_count
from softdraw.molecules.chemistry.codec import parse_smiles, plain
from softdraw.molecules.steering.options import BINS

__all__ = ["SIMILAR", "Crowding"]

SIMILAR = 0.6
"""A molecule belongs to the bin of a first molecule that is at least so similar to it."""


class Crowding:
    """Counts molecules in bins, in the order in which they come.

    The bins are of molecules with the same canonical SMILES (``"molecule"``), with the same scaffold of Bemis
    and Murcko, rings and what links them (``"scaffold"``; a molecule without a ring has none, and shares its
    bin with its equals alone), or of molecules that are similar (``"similarity"``). There each belongs to the
    bin of the earliest first molecule whose counts of Morgan environments, radius 2, have a Tanimoto
    similarity of 0.6 or more to its own, and is the first of a new bin where there is none. Stereo is left
    out.

    Args:
        by: ``"molecule"``, ``"scaffold"`` or ``"similarity"``.
        room: how many molecules of a bin count in full.

    Raises:
        ValueError: ``by`` is none of the three, or there is no room.

    Reference:
        Blaschke et al. 2020, "Memory-assisted reinforcement learning for diverse molecular de novo design",
        J. Cheminform. 12:68, whose bins give nothing at all once they are full.

    Example:
        >>> crowding = Crowding("scaffold", room=2)
        >>> seen = crowding.crowds(["Cc1ccccc1", "Oc1ccccc1", "CCO", "", "Nc1ccccc1"])
        >>> seen.tolist(), crowding.shares(seen).round(3).tolist()
        ([0, 1, 0, 0, 2], [1.0, 1.0, 1.0, 1.0, 0.667])
    """

    def __init__(self, by: str, room: int = 25) -> None:
        read_choice("by", by, BINS)
        self.by, self.room = by, read_count("room", room, 1)
        self._bins: dict[str, int] = {}  # by what names it, the place of a bin
        self._counts: list[int] = []
        self._known: dict[str, int | None] = {"": None}  # by SMILES as it came, the bin
        self._leaders = _Leaders()

    def crowds(self, smiles: Sequence[str]) -> NDArray[np.int64]:
        """Count molecules, and say how crowded the bin of each was when it came.

        Args:
            smiles: of the molecules; what is none, such as ``""``, is not counted.

        Returns:
            For each, how many molecules of its bin came before it, earlier ones of this call among them.
        """
        found = np.zeros(len(smiles), dtype=np.int64)
        with rdBase.BlockLogs():
            for place, one in enumerate(smiles):
                if one not in self._known:
                    self._known[one] = self._bin_of(one)
                which = self._known[one]
                if which is not None:
                    found[place] = self._counts[which]
                    self._counts[which] += 1
        return found

    def shares(self, crowds: ArrayLike) -> NDArray[np.float64]:
        """What is left of the gain of molecules: all of it up to ``room`` in a bin, then ``room / number``.

        Args:
            crowds: as ``crowds`` gave them.

        Returns:
            For each, above 0 and up to 1.
        """
        number = np.asarray(crowds, dtype=np.float64) + 1
        return np.minimum(1.0, self.room / number)

    def state_dict(self) -> dict[str, Any]:
        """The bins and how full they are, in plain Python."""
        return {"by": self.by, "room": self.room, "bins": list(self._bins), "counts": list(self._counts)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on counting from ``state_dict``.

        Raises:
            KeyError, ValueError: the state is of other bins.
        """
        if (state["by"], state["room"]) != (self.by, self.room):
            raise ValueError(
                f"crowding: got bins by {state['by']} with room for {state['room']}, expected bins by "
                f"{self.by} with room for {self.room}"
            )
        self._bins = {name: place for place, name in enumerate(state["bins"])}
        self._counts = [int(count) for count in state["counts"]]
        self._known = {"": None}
        self._leaders = _Leaders()
        if self.by == "similarity":
            for name in self._bins:
                self._leaders.add(_environments(_molecule(name)))

    def _bin_of(self, smiles: str) -> int | None:
        """The bin of a molecule, a new one where there is none; None for what is no molecule."""
        mol = parse_smiles(smiles)
        if mol is None or not mol.GetNumAtoms():
            return None
        mol = plain(mol)
        name = Chem.MolToSmiles(mol)
        if self.by == "similarity":
            environments = _environments(mol)
            which = self._leaders.first_like(environments)
            if which is not None:
                return which
            self._leaders.add(environments)
        elif self.by == "scaffold" and mol.GetRingInfo().NumRings():
            name = Chem.MolToSmiles(MurckoScaffold.GetScaffoldForMol(mol))  # type: ignore[no-untyped-call]
        if name not in self._bins:
            self._bins[name] = len(self._counts)
            self._counts.append(0)
        return self._bins[name]


class _Leaders:
    """The first molecules of bins, found by what they share with another.

    The counts of environments are written in ones: an environment that is there three times is there as its
    first, second and third. What two molecules share is then the ones that both have, and each one leads to
    the molecules that have it. The ones that most molecules have say least and cost most, so that the rare
    ones are asked first: what is similar may lack only so many.
    """

    def __init__(self) -> None:
        self._ones: list[array[int]] = []
        self._having: dict[int, array[int]] = {}
        self._number: dict[tuple[int, int], int] = {}

    def first_like(self, environments: Sequence[tuple[int, int]]) -> int | None:
        """The earliest that is similar to a molecule."""
        ones = {self._number.get(one, -1 - place) for place, one in enumerate(environments)}
        lists = sorted((self._having.get(one, _NOBODY) for one in ones), key=len)
        # of all it shares so many at least (a little less, for what is rounded), and of the rare ones a few
        most = math.ceil(SIMILAR * len(ones) - 1e-9)
        few = max(1, most // 2)
        rare = [np.frombuffer(one, dtype=np.int64) for one in lists[: len(ones) - most + few] if one]
        if not rare:
            return None
        for place in np.flatnonzero(np.bincount(np.concatenate(rare)) >= few).tolist():
            shared = len(ones.intersection(self._ones[place]))
            if shared / (len(ones) + len(self._ones[place]) - shared) >= SIMILAR:
                return int(place)
        return None

    def add(self, environments: Sequence[tuple[int, int]]) -> None:
        """One more."""
        ones = array("q", [self._number.setdefault(one, len(self._number)) for one in environments])
        for one in ones:
            self._having.setdefault(one, array("q")).append(len(self._ones))
        self._ones.append(ones)


_NOBODY = array("q")
_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=2)


def _environments(mol: Chem.Mol) -> list[tuple[int, int]]:
    """Ones of a molecule: an environment, and the how manieth of it."""
    counts: dict[int, int] = _MORGAN.GetSparseCountFingerprint(mol).GetNonzeroElements()
    return [(environment, number) for environment, count in counts.items() for number in range(count)]


def _molecule(smiles: str) -> Chem.Mol:
    mol = parse_smiles(smiles)
    if mol is None:
        raise ValueError(f"crowding: got a bin of {smiles!r}, expected SMILES")
    return plain(mol)
