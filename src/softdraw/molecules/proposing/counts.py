"""How alike molecules are by what they have, each as often as they have it.

Four views of a molecule are counted: substructures of radius 2, by elements and by roles of atoms (Rogers and
Hahn 2010, doi:10.1021/ci100050t), pairs of atoms with their distance (Carhart et al. 1985,
doi:10.1021/ci00046a002), and what it is composed of. Counts are compared by the Tanimoto coefficient of
counts, also called MinMax: the sum of the smaller counts divided by the sum of the larger. Ralaivola et al.
2005 (doi:10.1016/j.neunet.2005.07.009) show that it is a kernel.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdFingerprintGenerator

from softdraw.molecules.chemistry.codec import parse_smiles

__all__ = ["PLACES", "VIEWS", "Counts", "Reference", "count_views"]

_RADIUS = 2
_FARTHEST = 10
"""Bonds between the atoms of a pair at most, as GuacaMol has it."""
_LARGEST = 255
_ROWS = 512
"""Molecules whose thermometers are made at a time: with 5,000 columns they take 10 MB."""

VIEWS = {
    "substructures": slice(0, 2048),
    "roles": slice(2048, 3072),
    "pairs": slice(3072, 5120),
    "composition": slice(5120, 5264),
}
"""Places of the counts of each view."""
PLACES = 5264
_RINGS = 120
"""Place in the composition of rings of no atoms; aromatic ones are 12 places on."""
_RING = 11
"""Rings of more atoms are counted as of so many."""

Counts = NDArray[np.uint8]


def count_views(smiles: Sequence[str]) -> Counts:
    """What molecules have, by view.

    Args:
        smiles: molecules.

    Returns:
        ``[molecules, 5264]``, the places of each view as ``VIEWS`` has them; no count is above 255.

    Raises:
        ValueError: RDKit cannot read one of them.

    Example:
        >>> counts = count_views(["CC", "CCC"])
        >>> counts[:, VIEWS["substructures"]].sum(1).tolist(), counts[:, VIEWS["composition"]].sum(1).tolist()
        ([3, 6], [8, 11])
    """
    roles = rdFingerprintGenerator.GetMorganFeatureAtomInvGen()
    generators = {
        "substructures": rdFingerprintGenerator.GetMorganGenerator(radius=_RADIUS, fpSize=2048),
        "roles": rdFingerprintGenerator.GetMorganGenerator(
            radius=_RADIUS, fpSize=1024, atomInvariantsGenerator=roles
        ),
        "pairs": rdFingerprintGenerator.GetAtomPairGenerator(maxDistance=_FARTHEST, fpSize=2048),
    }
    counts = np.zeros((len(smiles), PLACES), dtype=np.uint8)
    with rdBase.BlockLogs():
        for row, one in zip(counts, smiles, strict=True):
            mol = parse_smiles(one)
            if mol is None:
                raise ValueError(f"smiles: got {one!r}, expected SMILES that RDKit can read")
            row[VIEWS["composition"]] = _composition(mol)
            for name, generator in generators.items():
                found = generator.GetCountFingerprint(mol).GetNonzeroElements()
                row[VIEWS[name]][list(found)] = np.minimum(list(found.values()), _LARGEST)
    return counts


def _composition(mol: Chem.Mol) -> NDArray[np.intp]:
    """Atoms by element, hydrogens among them, and rings by size, aromatic or not."""
    of_atoms = [(atom.GetAtomicNum(), atom.GetTotalNumHs()) for atom in mol.GetAtoms()]
    places = [number for number, _ in of_atoms] + [1] * sum(hydrogens for _, hydrogens in of_atoms)
    for ring in mol.GetRingInfo().BondRings():
        aromatic = all(mol.GetBondWithIdx(bond).GetIsAromatic() for bond in ring)
        places.append(_RINGS + min(len(ring), _RING) + 12 * aromatic)
    return np.minimum(np.bincount(places, minlength=144), _LARGEST)


class Reference:
    """Molecules that others are compared with, by a product of matrices.

    Each is kept as the thermometer code of its counts: for a place and a number there is a column, which is 1
    where the count is at least that number. The ones that two molecules share are then as many as the sum of
    their smaller counts.

    Args:
        counts: of one view, or of several taken as one, ``[molecules, places]``.

    Example:
        >>> reference = Reference(np.array([[1, 1, 2]], dtype=np.uint8))
        >>> reference.append(np.array([[2, 1, 0]], dtype=np.uint8))
        >>> reference.similarity(np.array([[2, 1, 0]], dtype=np.uint8)).tolist()
        [[0.4, 1.0]]
    """

    def __init__(self, counts: Counts) -> None:
        self._most = np.zeros(counts.shape[1], dtype=np.uint8)
        self._place = np.zeros(0, dtype=np.intp)
        self._least = np.zeros(0, dtype=np.uint8)
        self._code = np.zeros((0, 0), dtype=np.float32)
        self._sizes = np.zeros(0)
        self.append(counts)

    def append(self, counts: Counts) -> None:
        """Take more molecules in, as the last."""
        most = np.maximum(self._most, counts.max(0, initial=0))
        levels = zip(self._most.tolist(), most.tolist(), strict=True)
        least = np.concatenate([np.arange(old + 1, new + 1) for old, new in levels]).astype(np.uint8)
        self._place = np.concatenate([self._place, np.repeat(np.arange(len(most)), most - self._most)])
        self._least, self._most = np.concatenate([self._least, least]), most
        # no molecule that was there reaches what the new columns ask
        before = np.pad(self._code, ((0, 0), (0, len(least))))
        self._code = np.concatenate([before, self._coded(counts)])
        self._sizes = np.concatenate([self._sizes, _sizes(counts)])

    def similarity(self, counts: Counts) -> NDArray[np.float64]:
        """The Tanimoto coefficients of molecules with those kept.

        Args:
            counts: ``[n, places]``.

        Returns:
            ``[n, molecules]``, 0 to 1; molecules without any count are alike.
        """
        found = np.empty((len(counts), len(self._code)))
        sizes = _sizes(counts)
        for start in range(0, len(counts), _ROWS):
            rows = slice(start, start + _ROWS)
            least = (self._coded(counts[rows]) @ self._code.T).astype(np.float64)  # exact: whole numbers
            most = sizes[rows, None] + self._sizes - least
            found[rows] = np.where(most > 0, least / np.maximum(most, 1), 1.0)
        return found

    def _coded(self, counts: Counts) -> NDArray[np.float32]:
        return (counts[:, self._place] >= self._least).astype(np.float32)


def _sizes(counts: Counts) -> NDArray[np.float64]:
    found: NDArray[np.float64] = counts.sum(1, dtype=np.float64)
    return found
