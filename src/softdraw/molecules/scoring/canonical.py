"""What a sample is: its molecule and canonical SMILES, or why it is none."""

from collections.abc import Collection, Iterable

from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import parse_smiles, plain
from softdraw.molecules.data.filters import largest_fragment
from softdraw.molecules.data.sources import listed_smiles
from softdraw.molecules.errors import SetError

__all__ = ["INVALID", "canonical_smiles", "known_molecules", "read_sample", "read_samples"]

INVALID = ("no SMILES", "unreadable", "several fragments")
"""Why a sample is no valid molecule."""


def canonical_smiles(smiles: Iterable[str | None]) -> list[str]:
    """Canonical SMILES of every valid molecule, ``""`` for the others; without stereo and atom maps.

    Args:
        smiles: samples; None and ``""`` are invalid.

    Returns:
        One entry for each. Isotopes are left as they are.

    Example:
        >>> canonical_smiles(["OCC", "C1CC", "CC.O", "", "N[C@@H](C)C(=O)O"])
        ['CCO', '', '', '', 'CC(N)C(=O)O']
    """
    return [entry[0] if entry else "" for entry in read_samples(listed_smiles("smiles", smiles))]


def read_samples(smiles: Iterable[str | None]) -> list[tuple[str, Chem.Mol] | None]:
    """Canonical SMILES and molecule of every valid sample."""
    seen: dict[str | None, tuple[str, Chem.Mol] | None] = {None: None, "": None}
    entries = []
    with rdBase.BlockLogs():
        for one in smiles:
            if one and one not in seen:
                entry = read_sample(one)
                seen[one] = None if isinstance(entry, str) else entry
            entries.append(seen[one])
    return entries


def read_sample(smiles: str, *, largest: bool = False) -> tuple[str, Chem.Mol] | str:
    """Canonical SMILES and molecule of a sample, or one of ``INVALID``. The caller mutes RDKit.

    Args:
        smiles: of the sample.
        largest: take the largest of several fragments, as no sample is, but data may be.
    """
    mol = parse_smiles(smiles)
    if mol is None:
        return "unreadable"
    if not mol.GetNumAtoms():
        return "no SMILES"
    mol = plain(largest_fragment(mol) if largest else mol)
    canonical = Chem.MolToSmiles(mol)
    return "several fragments" if "." in canonical else (canonical, mol)


def known_molecules(name: str, smiles: Collection[str]) -> set[str]:
    """The molecules of a set as canonical SMILES; 200 entries, evenly spaced, tell whether they are that.

    Raises:
        SetError: it has entries, and none is a molecule.
        TypeError: it is no list.
    """
    listed = listed_smiles(name, smiles)
    probe = listed[:: max(1, len(listed) // 200)]
    known = set(listed) if canonical_smiles(probe) == probe else set(canonical_smiles(listed))
    if listed and not any(known):
        raise SetError(f"{name}: got {len(listed)} entries of which none is a molecule, expected SMILES")
    return known
