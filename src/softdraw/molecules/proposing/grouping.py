"""Mutations of whole groups: one is appended, put in place of another, or moved to another atom."""

from functools import cache

import numpy as np

from softdraw.molecules.proposing.graph import Graph, pick, read_parent

__all__ = ["GROUPS", "append_group", "change_group", "move_group"]

GROUPS = (
    "*c1ccccc1",
    "*c1ccncc1",
    "*c1cccnc1",
    "*c1ccc(F)cc1",
    "*c1ccc(C)cc1",
    "*n1cccn1",
    "*N1CCOCC1",
    "*N1CCNCC1",
    "*N1CCCC1",
    "*C1CC1",
    "*C1CCCCC1",
    "*C(F)(F)F",
    "*C(C)C",
    "*C(C)(C)C",
    "*OC",
    "*OCC",
    "*O",
    "*N",
    "*C#N",
    "*NC(C)=O",
    "*C(N)=O",
    "*C(=O)O",
    "*C(=O)OC",
    "*C(C)=O",
    "*N(C)C",
    "*S(N)(=O)=O",
    "*S(C)(=O)=O",
    "*NS(C)(=O)=O",
)
"""Groups as SMILES; the dummy atom is where the molecule goes on."""


def append_group(graph: Graph, rng: np.random.Generator) -> bool:
    """A group in place of a hydrogen."""
    to = pick(range(len(graph)), rng)
    if not graph.free(to):
        return False
    _attach(graph, to, pick(GROUPS, rng))
    return True


def change_group(graph: Graph, rng: np.random.Generator) -> bool:
    """A group in place of the smaller side of a single bond outside rings."""
    cut = _cut(graph, rng)
    if cut is None:
        return False
    kept, to, _, _ = cut
    rest, place = graph.part(kept)
    graph.atoms, graph.near = rest.atoms, rest.near
    _attach(graph, place[to], pick(GROUPS, rng))
    return True


def move_group(graph: Graph, rng: np.random.Generator) -> bool:
    """The smaller side of a single bond outside rings goes to another atom, one to three bonds away."""
    cut = _cut(graph, rng)
    if cut is None:
        return False
    _, to, _, end = cut
    graph.bond(to, end, 0)
    ends = [i for i in graph.distances(to, 3) if i != to and graph.free(i)]
    if not ends:
        return False
    graph.bond(pick(ends, rng), end, 1)
    return True


def _cut(graph: Graph, rng: np.random.Generator) -> tuple[list[int], int, list[int], int] | None:
    """Atoms of the larger and of the smaller side of a single bond, each with its atom of that bond."""
    i, j = pick(range(len(graph)), rng), 0
    if not graph.near[i]:
        return None
    j = pick(list(graph.near[i]), rng)
    if graph.near[i][j] != 1:
        return None
    one = graph.side(i, without=(i, j))
    if j in one:
        return None
    two = graph.side(j, without=(i, j))
    return (one, i, two, j) if len(one) >= len(two) else (two, j, one, i)


def _attach(graph: Graph, to: int, group: str) -> None:
    new, first = _group(group)
    shift = graph.join(new)
    graph.bond(to, first + shift, 1)


@cache
def _group(smiles: str) -> tuple[Graph, int]:
    """The atoms of a group, and which of them is bonded to the dummy atom."""
    parent = read_parent(smiles)
    if parent is None:
        raise ValueError(f"smiles: got {smiles!r}, expected a group with one dummy atom")
    dummy = parent.graph.atoms.index((0, 0))
    (first,) = parent.graph.near[dummy]
    part, place = parent.graph.part([i for i in range(len(parent.graph)) if i != dummy])
    return part, place[first]
