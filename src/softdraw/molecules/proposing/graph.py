"""A molecule to cut and edit: atoms and a mapping of bonds for each, kekulised, hydrogens implicit.

Hydrogens fill what valence is left, so that no edit makes a radical. RDKit is asked once, at the end.
"""

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import NamedTuple, TypeVar

import numpy as np
from rdkit import Chem, rdBase

from softdraw.molecules.chemistry.codec import build_molecule, parse_smiles, plain, read_plain
from softdraw.molecules.errors import DataError
from softdraw.molecules.proposing.oddities import Oddities, oddities

__all__ = ["Atom", "Graph", "Parent", "pick", "read_parent", "write_child"]

Atom = tuple[int, int]
"""Atomic number and formal charge."""
Item = TypeVar("Item")

_CARBON = 6
_STRETCHED = (15, 16, 34)
"""Elements that an edit may take beyond their lowest valence, by double bonds: P, S, Se."""


def pick(items: Sequence[Item], rng: np.random.Generator) -> Item:
    """One of some items, each as likely."""
    return items[int(rng.random() * len(items))]


class Graph:
    """Atoms by place, and for each a mapping from its neighbours to the order of their bond.

    Args:
        atoms: atomic number and formal charge of each.
        near: of each atom, the places of its neighbours with orders 1, 2 or 3; both ends hold a bond.

    Example:
        >>> graph = Graph([(6, 0), (6, 0)], [{1: 1}, {0: 1}])
        >>> graph.add((8, 0), to=1, order=2)
        2
        >>> graph.free(1), graph.sound(1)
        (1, True)
    """

    __slots__ = ("atoms", "near")

    def __init__(self, atoms: list[Atom], near: list[dict[int, int]]) -> None:
        self.atoms, self.near = atoms, near

    def __len__(self) -> int:
        return len(self.atoms)

    def copy(self) -> "Graph":
        """Another one that may be edited."""
        return Graph(self.atoms.copy(), [bonds.copy() for bonds in self.near])

    def free(self, atom: int) -> int:
        """Hydrogens of an atom."""
        return max(0, valence(*self.atoms[atom]) - sum(self.near[atom].values()))

    def sound(self, atom: int) -> bool:
        """Whether an atom has no more bonds than its lowest valence, or, as phosphorus, sulfur and selenium
        may, that many single bonds and one or two double bonds beside them.
        """
        low = valence(*self.atoms[atom])
        orders = self.near[atom].values()
        if sum(orders) <= low:
            return True
        doubles = sum(order == 2 for order in orders)
        singles = len(orders) - doubles
        stretched = self.atoms[atom][0] in _STRETCHED and self.atoms[atom][1] == 0
        return stretched and singles == low and 3 not in orders and doubles <= 2

    def bonds(self) -> list[tuple[int, int]]:
        """All bonds, the later atom first."""
        return [(i, j) for i, bonds in enumerate(self.near) for j in bonds if j < i]

    def bond(self, i: int, j: int, order: int) -> None:
        """Set the order of a bond; 0 takes it away."""
        if order:
            self.near[i][j] = self.near[j][i] = order
        else:
            del self.near[i][j], self.near[j][i]

    def add(self, atom: Atom, to: int, order: int = 1) -> int:
        """Bond a new atom to one that is there; its place."""
        self.atoms.append(atom)
        self.near.append({})
        self.bond(len(self.atoms) - 1, to, order)
        return len(self.atoms) - 1

    def side(self, start: int, without: tuple[int, int] | None = None) -> list[int]:
        """Atoms that hang together with one, in the order found, when a bond is not there."""
        barred = set() if without is None else {without, without[::-1]}
        seen, found = {start}, [start]
        for atom in found:
            for other in self.near[atom]:
                if other not in seen and (atom, other) not in barred:
                    seen.add(other)
                    found.append(other)
        return found

    def part(self, atoms: Sequence[int]) -> tuple["Graph", dict[int, int]]:
        """The graph of some atoms, and their new places."""
        place = {atom: new for new, atom in enumerate(atoms)}
        near = [{place[j]: order for j, order in self.near[i].items() if j in place} for i in atoms]
        return Graph([self.atoms[i] for i in atoms], near), place

    def join(self, other: "Graph") -> int:
        """Take another graph in, not yet bonded; how far its places were moved."""
        shift = len(self.atoms)
        self.atoms += other.atoms
        self.near += [{j + shift: order for j, order in bonds.items()} for bonds in other.near]
        return shift

    def distances(self, start: int, most: int) -> dict[int, int]:
        """Bonds between an atom and those no more than so many away."""
        far = {start: 0}
        queue = [start]
        for atom in queue:
            if far[atom] == most:
                break
            for other in self.near[atom]:
                if other not in far:
                    far[other] = far[atom] + 1
                    queue.append(other)
        return far


class Parent(NamedTuple):
    """A molecule to draw children from.

    Attributes:
        smiles: canonical, without stereo.
        graph: not to be edited.
        rings: places of the atoms of each ring, around it.
        cuts: single bonds that are in no ring.
        odd: what is odd in it.
    """

    smiles: str
    graph: Graph
    rings: tuple[tuple[int, ...], ...]
    cuts: tuple[tuple[int, int], ...]
    odd: Oddities


@lru_cache(maxsize=16_384)
def read_parent(smiles: str) -> Parent | None:
    """A molecule of one fragment as a parent; None where RDKit or the codec cannot read it.

    Example:
        >>> parent = read_parent("c1ccccc1C")
        >>> parent.smiles, parent.cuts, len(parent.rings)
        ('Cc1ccccc1', ((1, 0),), 1)
    """
    with rdBase.BlockLogs():
        mol = parse_smiles(smiles)
        if mol is None or not mol.GetNumAtoms():
            return None
        work = plain(mol)
        try:
            written, atoms, bonds = read_plain(work)
        except DataError:
            return None
    if "." in written:
        return None
    place = {int(old): new for new, old in enumerate(work.GetProp("_smilesAtomOutputOrder")[1:-1].split(","))}
    rings = tuple(tuple(place[atom] for atom in ring) for ring in work.GetRingInfo().AtomRings())
    graph = Graph(list(atoms), [{} for _ in atoms])
    for i, j, order in bonds:
        graph.bond(i, j, order)
    in_ring = {frozenset(pair) for ring in rings for pair in zip(ring, ring[1:] + ring[:1], strict=True)}
    cuts = tuple((i, j) for i, j, order in bonds if order == 1 and frozenset((i, j)) not in in_ring)
    return Parent(written, graph, rings, cuts, oddities(graph.atoms, graph.near, rings))


def write_child(graph: Graph, odd: Oddities) -> str:
    """Canonical SMILES of a graph; ``""`` where RDKit refuses it, it falls apart, has no carbon, or is odd
    beyond what its parents are. The caller mutes RDKit.
    """
    if all(atom[0] != _CARBON for atom in graph.atoms):
        return ""
    bonds = [(i, j, graph.near[i][j]) for i, j in graph.bonds()]
    mol = build_molecule([_prototype(*atom) for atom in graph.atoms], bonds)
    if mol is None:
        return ""
    found = oddities(graph.atoms, graph.near, mol.GetRingInfo().AtomRings())
    if any(here > most for here, most in zip(found, odd, strict=True)):
        return ""
    smiles: str = Chem.MolToSmiles(mol)
    return "" if "." in smiles else smiles


@cache
def valence(number: int, charge: int) -> int:
    """The lowest valence of an atom: how many hydrogens RDKit gives it when it is alone."""
    mol = Chem.RWMol()
    mol.AddAtom(_prototype(number, charge))
    with rdBase.BlockLogs():
        Chem.SanitizeMol(mol, catchErrors=True)
    return int(mol.GetAtomWithIdx(0).GetTotalNumHs())


@cache
def _prototype(number: int, charge: int) -> Chem.Atom:
    atom = Chem.Atom(number)
    atom.SetFormalCharge(charge)
    return atom
