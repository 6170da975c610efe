"""Molecule to graph and back: atom types and a symmetric matrix of bond orders, kekulised, hydrogens
implicit.

The way back repairs nothing. A graph that RDKit refuses is no molecule, and is told as the empty string.
"""

import re
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem, rdBase
from rdkit.Chem import rdqueries

from softdraw.molecules.chemistry.vocabulary import STRICT, AtomType, Vocabulary
from softdraw.molecules.errors import DataError

__all__ = [
    "CODEC_VERSION",
    "build_molecule",
    "decode",
    "decode_batch",
    "encode",
    "parse_smiles",
    "plain",
    "read_molecule",
    "read_plain",
    "write_molecule",
]

CODEC_VERSION = 2
"""Part of every cache key: raise it when the same molecule would be encoded otherwise."""

_ORDERS = {Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE}
_COUNTED = {1.0, 2.0, 3.0}
_BONDS = (Chem.BondType.ZERO, Chem.BondType.SINGLE, Chem.BondType.DOUBLE, Chem.BondType.TRIPLE)
_SANE = Chem.SanitizeFlags.SANITIZE_NONE
_MAPPED = rdqueries.HasPropQueryAtom("molAtomMapNumber")
_ATOM = re.compile(r"\[[^\]]+\]|Br|Cl|[BCNOPSFIbcnops*]")
"""A word of SMILES that stands for an atom."""

Record = tuple[str, list[tuple[int, int]], list[tuple[int, int, int]]]


def parse_smiles(smiles: str, *, sanitize: bool = True) -> Chem.Mol | None:
    """``Chem.MolFromSmiles``, with the None that RDKit's own annotation keeps silent about."""
    return Chem.MolFromSmiles(smiles, sanitize=sanitize)


def plain(mol: Chem.Mol) -> Chem.Mol:
    """A copy as graphs know a molecule: without stereo, atom maps, and hydrogens written for their stereo.

    Example:
        >>> Chem.MolToSmiles(plain(parse_smiles("[H]/N=C(/[CH3:1])F")))
        'CC(=N)F'
    """
    work = Chem.Mol(mol)
    Chem.RemoveStereochemistry(work)
    for atom in work.GetAtomsMatchingQuery(_MAPPED):
        atom.SetAtomMapNum(0)
    if work.GetNumAtoms() == work.GetNumHeavyAtoms():
        return work
    hydrogen = any(atom.GetAtomicNum() == 1 for atom in work.GetAtoms())  # a dummy atom is not heavy either
    return Chem.RemoveHs(work) if hydrogen else work


def read_molecule(mol: Chem.Mol) -> Record:
    """A sanitised molecule as canonical SMILES without stereo, atoms and bonds.

    Atoms come in the reading order of that SMILES: every atom of a fragment after its first is bonded to an
    earlier one.

    Args:
        mol: a molecule as RDKit parsed it; it is left as it was.

    Returns:
        The SMILES; for every atom its atomic number and formal charge; for every bond the places of its
        atoms, the later one first, and its order 1, 2 or 3.

    Raises:
        DataError: a bond is neither single, double, triple nor aromatic, or the molecule cannot be kekulised.
    """
    return read_plain(plain(mol))


def read_plain(work: Chem.Mol) -> Record:
    """``read_molecule`` of what ``plain`` gave, or of what needs no such copy: it is kekulised in place.

    Going over atoms and bonds one by one from Python takes several times as long as everything else here, so
    atoms are told by their words in the SMILES, and bonds by the matrix of their orders.

    Raises:
        DataError: as ``read_molecule``.
    """
    smiles: str = Chem.MolToSmiles(work)
    written = np.array(work.GetProp("_smilesAtomOutputOrder")[1:-1].split(","), dtype=np.intp)
    try:
        Chem.Kekulize(work, clearAromaticFlags=True)
    except Chem.KekulizeException:
        raise DataError(f"{smiles}: RDKit cannot write it with single and double bonds") from None
    atoms = [_atom_of(word) for word in _ATOM.findall(smiles)]
    square = Chem.GetAdjacencyMatrix(work, useBO=True, force=True).take(written, 0).take(written, 1)
    later, earlier = np.nonzero(square)
    orders = square[later, earlier]
    # a dative bond stands in one triangle only, others that are no bond orders in neither
    if len(orders) != 2 * work.GetNumBonds() or not _COUNTED.issuperset(orders.tolist()):
        kinds = {bond.GetBondType() for bond in work.GetBonds()} - _ORDERS
        names = ", ".join(sorted(map(str, kinds)))
        raise DataError(f"{smiles}: bond of type {names}, expected single, double or triple")
    lower = later > earlier
    of_bonds = later[lower].tolist(), earlier[lower].tolist(), orders[lower].astype(np.int64).tolist()
    return smiles, atoms, list(zip(*of_bonds, strict=True))


@lru_cache(maxsize=4096)
def _atom_of(word: str) -> tuple[int, int]:
    """Atomic number and formal charge of an atom as SMILES write it."""
    mol: Any = parse_smiles(word, sanitize=False)
    atom = mol.GetAtomWithIdx(0)
    return atom.GetAtomicNum(), atom.GetFormalCharge()


def write_molecule(atoms: list[Chem.Atom], bonds: list[tuple[int, int, int]]) -> str:
    """Canonical SMILES of a kekulised graph, or ``""`` where it is no molecule. The caller mutes RDKit."""
    mol = build_molecule(atoms, bonds)
    if mol is None:
        return ""
    smiles: str = Chem.MolToSmiles(mol)
    return "" if "." in smiles else smiles


def build_molecule(atoms: list[Chem.Atom], bonds: list[tuple[int, int, int]]) -> Chem.Mol | None:
    """A kekulised graph as a sanitised molecule, or None where RDKit refuses it. The caller mutes RDKit.

    It may have several fragments.
    """
    if not atoms:
        return None
    mol = Chem.RWMol()
    add_atom, add_bond = mol.AddAtom, mol.AddBond
    for atom in atoms:
        add_atom(atom)
    for i, j, order in bonds:
        add_bond(i, j, _BONDS[order])
    return mol if Chem.SanitizeMol(mol, STRICT, catchErrors=True) == _SANE else None


def prototypes(vocabulary: Vocabulary) -> list[Chem.Atom]:
    """One RDKit atom for each type, to be copied into molecules."""
    atoms = []
    for symbol, charge in vocabulary:
        atom = Chem.Atom(symbol)
        atom.SetFormalCharge(charge)
        atoms.append(atom)
    return atoms


def encode(mol: Chem.Mol, vocabulary: Vocabulary) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """A molecule as atom types and bond orders.

    The graph is kekulised and its hydrogens are implicit. Atoms come in the reading order of the canonical
    SMILES, so that every atom after the first is bonded to an earlier one. Stereo is left out.

    Args:
        mol: a sanitised RDKit molecule of one fragment.
        vocabulary: the atom types.

    Returns:
        ``types`` of shape ``[n]`` and ``bonds`` of shape ``[n, n]``, symmetric with a zero diagonal, orders 0
        to 3.

    Raises:
        DataError: the molecule has several fragments, an atom whose type the vocabulary lacks, or a bond of
            another kind (dative, say).

    Example:
        >>> from rdkit import Chem
        >>> types, bonds = encode(Chem.MolFromSmiles("C=CO"), Vocabulary([AtomType("C"), AtomType("O")]))
        >>> types
        array([0, 0, 1], dtype=uint8)
        >>> bonds
        array([[0, 2, 0],
               [2, 0, 1],
               [0, 1, 0]], dtype=uint8)
    """
    smiles, atoms, edges = read_molecule(mol)
    if "." in smiles:
        raise DataError(f"mol: {smiles} has several fragments, expected one")
    table = Chem.GetPeriodicTable()
    types = np.empty(len(atoms), dtype=np.uint8)
    for position, (number, charge) in enumerate(atoms):
        atom_type = AtomType(table.GetElementSymbol(number), charge)
        if atom_type not in vocabulary:
            raise DataError(f"mol: {smiles} holds {atom_type}, expected only {', '.join(vocabulary.names)}")
        types[position] = vocabulary.index(atom_type)
    bonds = np.zeros((len(atoms), len(atoms)), dtype=np.uint8)
    for i, j, order in edges:
        bonds[i, j] = bonds[j, i] = order
    return types, bonds


def decode(types: ArrayLike, bonds: ArrayLike, vocabulary: Vocabulary) -> str:
    """The canonical SMILES of a graph, or ``""`` where the graph is no molecule.

    It is one when RDKit's sanitisation accepts it unchanged, it has at least one atom, and all atoms hang
    together. Nothing is repaired: no bond is weakened, no charge added, no fragment left out.

    Args:
        types: ``[n]`` integers, classes of ``vocabulary``.
        bonds: ``[n, n]`` integers 0 to 3; the triangle below the diagonal is read.
        vocabulary: the atom types.

    Returns:
        SMILES without stereo.

    Raises:
        ValueError: the shapes do not fit each other, or a type or an order is out of range.

    Example:
        >>> vocabulary = Vocabulary([AtomType("C"), AtomType("O")])
        >>> decode([0, 0, 1], [[0, 2, 0], [2, 0, 1], [0, 1, 0]], vocabulary)
        'C=CO'
        >>> decode([1, 1], [[0, 3], [3, 0]], vocabulary)  # oxygen has no third bond
        ''
    """
    classes = np.asarray(types)
    orders = np.asarray(bonds)
    if classes.ndim != 1:
        raise ValueError(f"types: got shape {list(classes.shape)}, expected [n]")
    if classes.size and classes.min() < 0:
        raise ValueError(f"types: got {classes.min()}, expected 0 to {len(vocabulary) - 1}")
    return decode_batch(classes[None], orders[None], vocabulary)[0]


def decode_batch(types: Any, bonds: Any, vocabulary: Vocabulary) -> list[str]:
    """``decode`` for a padded batch.

    Args:
        types: ``[B, N]`` integers (array or tensor); places after the last atom hold -1.
        bonds: ``[B, N, N]`` integers 0 to 3; the triangle below the diagonal is read.
        vocabulary: the atom types.

    Returns:
        One SMILES for each graph, ``""`` where it is no molecule.

    Raises:
        ValueError: the shapes do not fit each other, a type or an order is out of range, an atom follows
            padding, or a bond reaches into padding.

    Example:
        >>> vocabulary = Vocabulary([AtomType("C"), AtomType("O")])
        >>> decode_batch([[0, 1], [0, -1]], [[[0, 2], [2, 0]], [[0, 0], [0, 0]]], vocabulary)
        ['C=O', 'C']
    """
    classes, orders = _as_array(types, "types"), _as_array(bonds, "bonds")
    if classes.ndim != 2:
        raise ValueError(f"types: got shape {list(classes.shape)}, expected [batch, atoms]")
    batch, atoms = classes.shape
    if orders.shape != (batch, atoms, atoms):
        raise ValueError(f"bonds: got shape {list(orders.shape)}, expected {[batch, atoms, atoms]}")
    if classes.size == 0:
        return [""] * batch
    if classes.min() < -1 or classes.max() >= len(vocabulary):
        raise ValueError(
            f"types: got {classes.min()} to {classes.max()}, expected -1 to {len(vocabulary) - 1}"
        )
    if orders.min() < 0 or orders.max() > 3:
        raise ValueError(f"bonds: got {orders.min()} to {orders.max()}, expected 0 to 3")
    present = classes >= 0
    sizes = present.sum(1)
    if (present[:, 1:] & ~present[:, :-1]).any():
        raise ValueError("types: an atom follows padding, expected -1 only after the last atom")
    row, later, earlier = np.nonzero(np.tril(orders, -1))
    if (later >= sizes[row]).any():
        raise ValueError("bonds: a bond reaches into padding, expected 0 there")
    order = orders[row, later, earlier]
    edges = list(zip(later.tolist(), earlier.tolist(), order.tolist(), strict=True))
    ends = np.cumsum(np.bincount(row, minlength=batch)).tolist()
    atom_of = prototypes(vocabulary)
    smiles = []
    start = 0
    with rdBase.BlockLogs():
        for classes_of_one, size, end in zip(classes.tolist(), sizes.tolist(), ends, strict=True):
            smiles.append(write_molecule([atom_of[one] for one in classes_of_one[:size]], edges[start:end]))
            start = end
    return smiles


def _as_array(values: Any, name: str) -> NDArray[Any]:
    if hasattr(values, "detach"):
        values = values.detach().cpu()
    array = np.asarray(values)
    if array.size and array.dtype.kind not in "iub":
        raise ValueError(f"{name}: got dtype {array.dtype}, expected integers")
    return array
