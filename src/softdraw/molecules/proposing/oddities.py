"""What makes a molecule odd, counted: children may have no more of it than the odder of their parents.

So rings of nine atoms, cages and strained bonds do not creep in by edits, yet a pool that has them keeps
them. No count depends on which of the Kekulé structures it is taken from.
"""

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

__all__ = ["Oddities", "oddities"]

_LARGEST_RING = 8
_TIGHT = 4
"""Rings of so many atoms or fewer are tight."""
_RING_BONDS = 3
_SHARED = 2
"""Atoms that two rings may share: those of one bond."""
_HALOGENS = (9, 17, 35, 53)
_POOR = frozenset({(8, 8)} | {pair for x in _HALOGENS for y in (7, 8, 16) for pair in [(x, y), (y, x)]})
"""Pairs of elements that are seldom wanted side by side: peroxides, halogens on nitrogen, oxygen, sulfur."""
_CARBON = 6
_LOWEST = {15: 3, 16: 2, 34: 2}
"""Valences of P, S and Se beyond which a double bond to carbon is seldom wanted: ylides."""


class Oddities(NamedTuple):
    """Counts of what is odd.

    Attributes:
        ring: atoms of the largest ring, at least 8.
        crowded: atoms with more than three bonds in rings.
        bridged: pairs of rings that share more than one bond.
        tight: bonds of rings of three or four atoms, both ends of which have a double bond in a ring.
        bent: atoms with a triple bond in a ring, or with two double bonds in rings.
        poor: bonds such as O-O and N-Cl, and those of ylides.
    """

    ring: int
    crowded: int
    bridged: int
    tight: int
    bent: int
    poor: int


def oddities(
    atoms: Sequence[tuple[int, int]], near: Sequence[dict[int, int]], rings: Sequence[Sequence[int]]
) -> Oddities:
    """Count what is odd in a kekulised molecule.

    Args:
        atoms: atomic number and formal charge of each.
        near: of each atom, its neighbours and the orders of the bonds to them.
        rings: the smallest set of smallest rings, each as places of atoms, around it.

    Example:
        >>> oddities([(6, 0)] * 3, [{1: 2, 2: 1}, {0: 2, 2: 1}, {0: 1, 1: 1}], [(0, 1, 2)])
        Oddities(ring=8, crowded=0, bridged=0, tight=1, bent=0, poor=0)
    """
    kept: dict[int, dict[int, int]] = {}
    tight: set[tuple[int, int]] = set()
    for ring in rings:
        before = ring[-1]
        for atom in ring:
            order = near[atom][before]
            kept.setdefault(atom, {})[before] = order
            kept.setdefault(before, {})[atom] = order
            if len(ring) <= _TIGHT:
                tight.add((min(atom, before), max(atom, before)))
            before = atom
    beyond = {atom: sum(bonds.values()) - len(bonds) for atom, bonds in kept.items()}
    unsaturated = {atom: count for atom, count in beyond.items() if count}
    return Oddities(
        ring=max([_LARGEST_RING, *map(len, rings)]),
        crowded=sum(len(bonds) > _RING_BONDS for bonds in kept.values()),
        bridged=sum(len(set(one).intersection(two)) > _SHARED for one, two in combinations(rings, 2)),
        tight=sum(i in unsaturated and j in unsaturated for i, j in tight),
        bent=sum(count > 1 for count in unsaturated.values()),
        poor=sum((atoms[i][0], atoms[j][0]) in _POOR for i, bonds in enumerate(near) for j in bonds if j < i)
        + sum(
            order == 2 and atoms[j][0] == _CARBON
            for (number, _), bonds in zip(atoms, near, strict=True)
            if number in _LOWEST and sum(bonds.values()) > _LOWEST[number]
            for j, order in bonds.items()
        ),
    )
