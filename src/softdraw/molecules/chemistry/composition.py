"""What a set of molecules is made of, counted, and how far two such counts are apart."""

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import Chem

Category = TypeVar("Category", bound=Hashable)

__all__ = ["Composition", "composition", "total_variation", "wasserstein"]


@dataclass(frozen=True)
class Composition:
    """Counts over a set of molecules.

    Attributes:
        atom_types: heavy atoms by element and formal charge.
        bond_orders: bonds by order, kekulised.
        ring_sizes: rings of the smallest set by size; a molecule without a ring counts once, as 0.
        atoms: heavy atoms of each molecule.
    """

    atom_types: Counter[tuple[int, int]]
    bond_orders: Counter[int]
    ring_sizes: Counter[int]
    atoms: list[int]


def composition(molecules: Iterable[Chem.Mol]) -> Composition:
    """Count atoms, bonds and rings of sanitised molecules.

    Example:
        >>> from rdkit import Chem
        >>> counted = composition([Chem.MolFromSmiles("c1ccccc1O")])
        >>> dict(counted.bond_orders), dict(counted.ring_sizes), counted.atoms
        ({1: 4, 2: 3}, {6: 1}, [7])
    """
    types: Counter[tuple[int, int]] = Counter()
    orders: Counter[int] = Counter()
    rings: Counter[int] = Counter()
    atoms = []
    for mol in molecules:
        kekulised = Chem.Mol(mol)
        Chem.Kekulize(kekulised, clearAromaticFlags=True)
        types.update((atom.GetAtomicNum(), atom.GetFormalCharge()) for atom in kekulised.GetAtoms())
        orders.update(round(bond.GetBondTypeAsDouble()) for bond in kekulised.GetBonds())
        rings.update([len(ring) for ring in mol.GetRingInfo().AtomRings()] or [0])
        atoms.append(mol.GetNumHeavyAtoms())
    return Composition(types, orders, rings, atoms)


def total_variation(first: Mapping[Category, int], second: Mapping[Category, int]) -> float:
    """Half the summed difference of two frequency tables: 0 when they agree, 1 when they share nothing.

    Args:
        first: counts by category.
        second: counts by category.

    Returns:
        The distance; 0 when both are empty, 1 when one is.

    Example:
        >>> total_variation({"C": 3, "N": 1}, {"C": 1, "O": 1})
        0.5
    """
    n, m = sum(first.values()), sum(second.values())
    if not n or not m:
        return float(n != m)
    gaps = (abs(first.get(key, 0) / n - second.get(key, 0) / m) for key in {*first, *second})
    return sum(gaps) / 2


def wasserstein(first: ArrayLike, second: ArrayLike) -> float:
    """The 1-Wasserstein distance of two samples of a number: the area between their distribution functions.

    Args:
        first: ``[n]`` finite numbers, at least one.
        second: ``[m]`` finite numbers, at least one.

    Returns:
        The distance, in the unit of the numbers.

    Raises:
        ValueError: a sample is empty.

    Example:
        >>> wasserstein([0.0, 1.0], [2.0, 3.0])
        2.0
    """
    one, other = _sorted(first, "first"), _sorted(second, "second")
    points = np.sort(np.concatenate((one, other)))
    below = [np.searchsorted(sample, points[:-1], side="right") / len(sample) for sample in (one, other)]
    return float(np.abs(below[0] - below[1]) @ np.diff(points))


def _sorted(values: ArrayLike | Sequence[float], name: str) -> NDArray[np.float64]:
    array = np.sort(np.asarray(values, dtype=np.float64).ravel())
    if not array.size:
        raise ValueError(f"{name}: got no numbers, expected at least one")
    return array
