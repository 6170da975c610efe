"""Tanimoto similarity to a molecule, by the fingerprints that GuacaMol uses."""

from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rdkit import Chem

__all__ = ["FINGERPRINTS", "Similarity", "fingerprint"]

FINGERPRINTS = ("ECFP4", "ECFP6", "FCFP4", "AP", "PHCO")
"""Extended and functional circular fingerprints by diameter in bonds (Rogers and Hahn 2010), atom pairs up
to 10 bonds apart (Carhart et al. 1985), pairs and triples of pharmacophores (Gobbi and Poppinger 1998). All
but the last count how often a feature comes, and none is folded."""


def fingerprint(mol: "Chem.Mol", kind: str) -> Any:
    """A fingerprint of RDKit's.

    Args:
        mol: the molecule.
        kind: one of ``FINGERPRINTS``.

    Raises:
        ValueError: there is no such kind.

    Example:
        >>> from rdkit import Chem
        >>> sorted(fingerprint(Chem.MolFromSmiles("CCCC"), "ECFP4").GetNonzeroElements().values())
        [1, 2, 2, 2, 2]
    """
    if kind == "PHCO":
        from rdkit.Chem.Pharm2D import Generate, Gobbi_Pharm2D

        return Generate.Gen2DFingerprint(mol, Gobbi_Pharm2D.factory)  # type: ignore[no-untyped-call]
    return _generator(kind).GetSparseCountFingerprint(mol)


@cache
def _generator(kind: str) -> Any:
    from rdkit.Chem.rdFingerprintGenerator import (
        GetAtomPairGenerator,
        GetMorganFeatureAtomInvGen,
        GetMorganGenerator,
    )

    if kind not in FINGERPRINTS:
        raise ValueError(f"kind: got {kind!r}, expected one of {', '.join(FINGERPRINTS)}")
    if kind == "AP":
        return GetAtomPairGenerator(maxDistance=10)
    if kind == "FCFP4":
        return GetMorganGenerator(radius=2, atomInvariantsGenerator=GetMorganFeatureAtomInvGen())
    return GetMorganGenerator(radius=int(kind[-1]) // 2)


@dataclass(frozen=True)
class Similarity:
    """Tanimoto similarity of a molecule to another.

    Args:
        smiles: of the other.
        kind: one of ``FINGERPRINTS``.

    Example:
        >>> from rdkit import Chem
        >>> round(Similarity("CCO")(Chem.MolFromSmiles("CCN")), 4)
        0.3333
    """

    smiles: str
    kind: str = "ECFP4"

    @cached_property
    def _other(self) -> Any:
        from rdkit import Chem

        return fingerprint(Chem.MolFromSmiles(self.smiles), self.kind)

    def __call__(self, mol: "Chem.Mol") -> float:
        """The similarity, from 0 to 1."""
        from rdkit import DataStructs

        return float(DataStructs.TanimotoSimilarity(self._other, fingerprint(mol, self.kind)))

    def __reduce__(self) -> tuple[Any, ...]:
        return Similarity, (self.smiles, self.kind)
