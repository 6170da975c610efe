"""Mutations: small edits of a molecule.

Those of Jensen 2019 (Chem. Sci. 10, 3567) work on an atom or a bond, those of ``grouping`` on a part. Each
edits a graph in place and says whether it did; what it touched is sound by its valences.
"""

from collections.abc import Callable

import numpy as np

from softdraw.molecules.proposing.graph import Atom, Graph, pick
from softdraw.molecules.proposing.grouping import append_group, change_group, move_group

__all__ = ["MUTATIONS", "Mutation", "mutate"]

Mutation = Callable[[Graph, np.random.Generator], bool]

_TRIES = 10
_DOUBLE_RATE = 0.25
"""How often a new atom is appended by a double bond where both ends allow it."""
_ELEMENTS: tuple[Atom, ...] = tuple((n, 0) for n in (6, 6, 6, 7, 7, 8, 8, 9, 16, 17, 35))
"""Atoms to append or change to, as likely as they are listed."""
_BRIDGES: tuple[Atom, ...] = tuple((n, 0) for n in (6, 6, 7, 8, 16))
"""Atoms to insert into a bond."""
_RINGS = (3, 4, 5, 5, 5, 5, 6, 6, 6, 6, 6, 7)
"""Sizes of rings to close."""


def append_atom(graph: Graph, rng: np.random.Generator) -> bool:
    """A new atom in place of a hydrogen, or of two."""
    to = pick(range(len(graph)), rng)
    free = graph.free(to)
    if not free:
        return False
    new = graph.add(pick(_ELEMENTS, rng), to)
    if free > 1 and graph.free(new) and rng.random() < _DOUBLE_RATE:
        graph.bond(new, to, 2)
    return True


def insert_atom(graph: Graph, rng: np.random.Generator) -> bool:
    """A new atom between two that are bonded; the bonds to it are single."""
    bonds = graph.bonds()
    if not bonds:
        return False
    i, j = pick(bonds, rng)
    graph.bond(i, j, 0)
    new = graph.add(pick(_BRIDGES, rng), i)
    graph.bond(new, j, 1)
    return graph.sound(i) and graph.sound(j)


def delete_atom(graph: Graph, rng: np.random.Generator) -> bool:
    """An atom goes; its neighbours are joined to one of them, so that nothing falls apart."""
    if len(graph) < 3:
        return False
    atom = pick(range(len(graph)), rng)
    near = list(graph.near[atom])
    keeper = pick(near, rng)
    for other in near:
        graph.bond(atom, other, 0)
    for other in near:
        if other != keeper and other not in graph.near[keeper]:
            graph.bond(keeper, other, 1)
    _drop(graph, [atom])
    moved = [other - (other > atom) for other in near]
    return all(graph.sound(other) for other in moved)


def change_atom(graph: Graph, rng: np.random.Generator) -> bool:
    """Another element, with the bonds as they are."""
    atom = pick(range(len(graph)), rng)
    element = pick(_ELEMENTS, rng)
    if graph.atoms[atom][1] or element == graph.atoms[atom]:
        return False
    graph.atoms[atom] = element
    return graph.sound(atom)


def swap_atoms(graph: Graph, rng: np.random.Generator) -> bool:
    """Two atoms of different elements take each other's places, as when a nitrogen moves in a ring."""
    i, j = pick(range(len(graph)), rng), pick(range(len(graph)), rng)
    if graph.atoms[i] == graph.atoms[j] or graph.atoms[i][1] or graph.atoms[j][1]:
        return False
    graph.atoms[i], graph.atoms[j] = graph.atoms[j], graph.atoms[i]
    return graph.sound(i) and graph.sound(j)


def change_order(graph: Graph, rng: np.random.Generator) -> bool:
    """A bond one order up or down."""
    bonds = graph.bonds()
    if not bonds:
        return False
    i, j = pick(bonds, rng)
    order = graph.near[i][j]
    up = graph.free(i) and graph.free(j) and order < 3
    if not up and order == 1:
        return False
    graph.bond(i, j, order + 1 if up and (order == 1 or rng.random() < 0.2) else order - 1)
    return graph.sound(i) and graph.sound(j)


def close_ring(graph: Graph, rng: np.random.Generator) -> bool:
    """A bond between atoms that are as far apart as a ring of a drawn size asks."""
    start = pick(range(len(graph)), rng)
    far = pick(_RINGS, rng) - 1
    if not graph.free(start):
        return False
    ends = [i for i, distance in graph.distances(start, far).items() if distance == far and graph.free(i)]
    if not ends:
        return False
    graph.bond(start, pick(ends, rng), 1)
    return True


def open_ring(graph: Graph, rng: np.random.Generator) -> bool:
    """A bond of a ring goes."""
    bonds = graph.bonds()
    if not bonds:
        return False
    i, j = pick(bonds, rng)
    order = graph.near[i][j]
    graph.bond(i, j, 0)
    if j in graph.side(i):
        return True
    graph.bond(i, j, order)
    return False


def neutralise(graph: Graph, rng: np.random.Generator) -> bool:
    """A cation loses a proton, an anion takes one; partners of a bond, as in a nitro group, stay charged."""
    charged = [i for i, (_, charge) in enumerate(graph.atoms) if abs(charge) == 1]
    if not charged:
        return False
    atom = pick(charged, rng)
    number, charge = graph.atoms[atom]
    if any(graph.atoms[other][1] for other in graph.near[atom]) or (charge > 0 and not graph.free(atom)):
        return False
    graph.atoms[atom] = (number, 0)
    return graph.sound(atom)


MUTATIONS: tuple[tuple[Mutation, float], ...] = (
    (append_atom, 0.14),
    (insert_atom, 0.10),
    (delete_atom, 0.14),
    (change_atom, 0.14),
    (swap_atoms, 0.06),
    (change_order, 0.08),
    (close_ring, 0.07),
    (open_ring, 0.04),
    (neutralise, 0.03),
    (append_group, 0.06),
    (change_group, 0.07),
    (move_group, 0.07),
)
"""Every mutation and how often it is tried."""

_BOUNDS = np.cumsum([weight for _, weight in MUTATIONS])


def mutate(graph: Graph, rng: np.random.Generator) -> Graph | None:
    """An edited copy of a molecule, not yet shown to RDKit; None where ten tries fail.

    Args:
        graph: a molecule, which stays as it is.
        rng: where choices come from.

    Example:
        >>> from softdraw.molecules.proposing.graph import read_parent
        >>> propane = read_parent("CCC").graph
        >>> len(propane), mutate(propane, np.random.default_rng(1)) is not None
        (3, True)
    """
    for _ in range(_TRIES):
        place = int(np.searchsorted(_BOUNDS, rng.random() * _BOUNDS[-1], side="right"))
        edited = graph.copy()
        if MUTATIONS[place][0](edited, rng):
            return edited
    return None


def _drop(graph: Graph, atoms: list[int]) -> None:
    gone = set(atoms)
    rest, _ = graph.part([i for i in range(len(graph)) if i not in gone])
    graph.atoms, graph.near = rest.atoms, rest.near
