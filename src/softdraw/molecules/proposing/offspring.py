"""Children of the best molecules: parents by rank, crossover, mutation.

Population and parents are those of Tripp and Hernández-Lobato 2023, "Genetic algorithms are strong baselines
for molecule generation", arXiv:2310.09267: all molecules so far (up to 10,000) are the population, and ranks
are weighted so that the logarithm of a parent's rank is about uniform. The shares of children are our own.
"""

from collections.abc import Callable, Collection, Iterator, Sequence, Set

import numpy as np
from numpy.typing import ArrayLike, NDArray
from rdkit import rdBase

from softdraw.molecules.proposing.crossover import crossover
from softdraw.molecules.proposing.graph import Parent, read_parent, write_child
from softdraw.molecules.proposing.mutation import mutate
from softdraw.molecules.proposing.oddities import Oddities

__all__ = ["MUTATION_RATE", "POPULATION", "PRESSURE", "offspring", "rank_weights"]

POPULATION = 10_000
"""The best of this many molecules are parents."""
MUTATION_RATE = 0.5
"""Share of children of two parents that are edited as well."""
CROSSOVER_RATE = 0.8
"""Share of children that have two parents, where a crossover is found; the others are edits of one."""
PRESSURE = 1e-3
"""How much the first ranks are preferred: the smaller, the more."""
_ATTEMPTS = 30
"""Attempts for each child that is wanted."""


def offspring(
    parents: Sequence[str],
    scores: ArrayLike,
    count: int,
    rng: np.random.Generator,
    *,
    usable: Callable[[str], bool] | None = None,
    known: Collection[str] = (),
    mutation_rate: float = MUTATION_RATE,
    pressure: float = PRESSURE,
) -> list[str]:
    """New molecules from the best of those that are known.

    Args:
        parents: SMILES, each once; those that RDKit cannot read as one fragment have no children.
        scores: of each, higher is better; one that is not finite makes it no parent.
        count: children wanted.
        rng: where all choices come from; the same state gives the same children.
        usable: what a child must satisfy, such as that the model can encode it; None takes all.
        known: canonical SMILES that are not wanted again, beside the parents.
        mutation_rate: share of children that are edited after crossover, 0 to 1.
        pressure: how little the first ranks are preferred, see ``rank_weights``.

    Returns:
        Distinct canonical SMILES without stereo; fewer than ``count`` where 30 attempts for each do not
        suffice.

    Raises:
        ValueError: scores are not one for each parent, or a number is out of its range.

    Example:
        >>> children = offspring(["CCO", "CCN"], [0.1, 0.2], 3, np.random.default_rng(0))
        >>> len(children), {"CCO", "CCN"} & set(children)
        (3, set())
    """
    values = np.asarray(scores, dtype=np.float64)
    if values.shape != (len(parents),):
        raise ValueError(f"scores: got shape {list(values.shape)}, expected [{len(parents)}], one a parent")
    if not 0 <= mutation_rate <= 1:
        raise ValueError(f"mutation_rate: got {mutation_rate}, expected 0 to 1")
    order = np.argsort(-values, kind="stable")
    ranked = [parents[place] for place in order[np.isfinite(values[order])][:POPULATION]]
    barred = known if isinstance(known, Set) else frozenset(known)
    own = set(parents)
    wanted = usable or bool
    found: dict[str, None] = {}
    with rdBase.BlockLogs():
        pairs = _pairs(ranked, pressure, rng)
        for _ in range(_ATTEMPTS * count if ranked else 0):
            if len(found) >= count:
                break
            one, two = next(pairs)
            child = _child(one, two, mutation_rate, rng) if one and two else ""
            if child and not (child in found or child in barred or child in own) and wanted(child):
                found[child] = None
    return list(found)


def rank_weights(count: int, pressure: float = PRESSURE) -> NDArray[np.float64]:
    """How likely each of some ranked molecules is a parent: ``1 / (pressure * count + rank)``, ranks from 0.

    Args:
        count: molecules, the best first.
        pressure: above 0; the smaller, the more the first are preferred.

    Raises:
        ValueError: the pressure is not above 0.

    Example:
        >>> rank_weights(3, pressure=1 / 3).round(3).tolist()
        [0.545, 0.273, 0.182]
    """
    if not pressure > 0:
        raise ValueError(f"pressure: got {pressure}, expected a number above 0")
    weights = 1 / (pressure * count + np.arange(count))
    normalised: NDArray[np.float64] = weights / weights.sum()
    return normalised


def _pairs(
    ranked: Sequence[str], pressure: float, rng: np.random.Generator
) -> Iterator[tuple[Parent | None, Parent | None]]:
    """Two parents at a time, drawn in blocks, different where there are two."""
    bounds = np.cumsum(rank_weights(len(ranked), pressure)) if ranked else np.zeros(0)
    while True:
        places = np.minimum(np.searchsorted(bounds, rng.random((64, 2))), len(ranked) - 1)
        for one, two in places.tolist():
            if one != two or len(ranked) == 1:
                yield read_parent(ranked[one]), read_parent(ranked[two])


def _child(one: Parent, two: Parent, mutation_rate: float, rng: np.random.Generator) -> str:
    child = crossover(one, two, rng) if rng.random() < CROSSOVER_RATE else None
    odd = Oddities(*map(max, one.odd, two.odd))
    if child is None:
        child, odd = mutate(one.graph, rng), one.odd
    elif rng.random() < mutation_rate:
        child = mutate(child, rng)
    return "" if child is None else write_child(child, odd)
