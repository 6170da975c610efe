"""Crossover: a part of one molecule joined to a part of another.

After Jensen 2019, "A graph-based genetic algorithm and generative model/Monte Carlo tree search for the
exploration of chemical space", Chem. Sci. 10, 3567: one single bond outside rings is cut in each parent, or
two bonds of a ring. It is done on graphs, without reaction SMARTS.
"""

import numpy as np

from softdraw.molecules.proposing.graph import Graph, Parent, pick

__all__ = ["crossover"]

RING_RATE = 0.4
"""How often a ring is cut in both parents instead of a single bond."""
_TRIES = 8
SMALLEST = 0.5
LARGEST = 1.3
"""Bounds of a child's size, in sizes of its smaller and its larger parent."""

Part = tuple[Graph, list[tuple[int, int]]]
"""Atoms that were cut out, and for each bond that was cut, its atom in there and its order."""


def crossover(one: Parent, two: Parent, rng: np.random.Generator) -> Graph | None:
    """A child of two molecules, not yet shown to RDKit; None where no cut fits.

    Args:
        one: a parent.
        two: another, or the same.
        rng: where choices come from.

    Example:
        >>> from softdraw.molecules.proposing.graph import read_parent
        >>> child = crossover(read_parent("CCO"), read_parent("CCN"), np.random.default_rng(0))
        >>> sorted({number for number, charge in child.atoms})
        [6, 7, 8]
    """
    rings = bool(one.rings and two.rings)
    if not rings and not (one.cuts and two.cuts):
        return None
    low = SMALLEST * min(len(one.graph), len(two.graph))
    high = LARGEST * max(len(one.graph), len(two.graph))
    for _ in range(_TRIES):
        cut = _cut_ring if rings and (rng.random() < RING_RATE or not (one.cuts and two.cuts)) else _cut_bond
        left, right = cut(one, rng), cut(two, rng)
        if left and right and low <= len(left[0]) + len(right[0]) <= high:
            child = _join(left, right, rng)
            if child is not None:
                return child
    return None


def _cut_bond(parent: Parent, rng: np.random.Generator) -> Part | None:
    i, j = pick(parent.cuts, rng)
    kept, gone = (i, j) if rng.random() < 0.5 else (j, i)
    part, place = parent.graph.part(parent.graph.side(kept, without=(kept, gone)))
    return part, [(place[kept], 1)]


def _cut_ring(parent: Parent, rng: np.random.Generator) -> Part | None:
    """Two bonds of a ring are cut; None where what is left still hangs together through another ring."""
    ring = pick(parent.rings, rng)
    first, second = sorted(int(rng.random() * len(ring)) for _ in range(2))
    if first == second:
        return None
    # bonds before places first and second: the arc between them, or the rest of the ring
    arc = ring[first:second] if rng.random() < 0.5 else ring[second:] + ring[:first]
    graph = parent.graph
    outside = set(ring).difference(arc)
    ends = [(arc[0], ring[ring.index(arc[0]) - 1]), (arc[-1], ring[(ring.index(arc[-1]) + 1) % len(ring)])]
    barred = {*ends, *(end[::-1] for end in ends)}
    seen, found = set(arc), list(arc)
    for atom in found:
        for other in graph.near[atom]:
            if other not in seen and (atom, other) not in barred:
                if other in outside:
                    return None
                seen.add(other)
                found.append(other)
    part, place = graph.part(found)
    return part, [(place[inside], graph.near[inside][gone]) for inside, gone in ends]


def _join(left: Part, right: Part, rng: np.random.Generator) -> Graph | None:
    graph, ends = left
    others = right[1] if rng.random() < 0.5 else right[1][::-1]
    shift = graph.join(right[0])
    for (i, order), (j, other_order) in zip(ends, others, strict=True):
        if j + shift in graph.near[i]:
            return None
        graph.bond(i, j + shift, order if rng.random() < 0.5 else other_order)
    touched = [i for i, _ in ends] + [j + shift for j, _ in others]
    if all(graph.sound(atom) for atom in touched):
        return graph
    for (i, _), (j, _) in zip(ends, others, strict=True):
        graph.bond(i, j + shift, 1)
    return graph if all(graph.sound(atom) for atom in touched) else None
