"""The front of several targets: the molecules that no other one beats in every target."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["non_dominated"]


def non_dominated(costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which molecules lie on the front: no other one is as good in every target, and better in one.

    Molecules with equal costs are on it together, or not at all.

    Args:
        costs: of each molecule for each target, ``[molecules, targets]``, lower is better. One with a NaN is
            not on the front, and keeps no other off it.

    Returns:
        ``[molecules]``. With two targets the time grows as that of sorting, with more of them as the number
        of molecules times those on the front.

    Example:
        >>> non_dominated(np.array([[0.0, 2.0], [1.0, 1.0], [1.0, 2.0], [2.0, 0.0]])).tolist()
        [True, True, False, True]
    """
    costs = np.asarray(costs, dtype=np.float64)
    found = np.zeros(len(costs), dtype=np.bool_)
    known = np.flatnonzero(~np.isnan(costs).any(1))
    if not len(known) or not costs.shape[1]:
        return found
    # what beats another one comes before it in this order, by the first target in which they differ
    order = known[np.lexsort(costs[known].T[::-1])]
    ranked = costs[order]
    found[order] = _front_of_two(ranked) if costs.shape[1] == 2 else _front_of_many(ranked)
    return found


def _front_of_two(ranked: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Better in the second than all that are better in the first, and than equal ones in the first."""
    first, second = ranked.T
    new = np.concatenate([[True], first[1:] != first[:-1]])
    least = second[new]  # of those with an equal first cost, since they are sorted by the second
    before = np.concatenate([[np.nan], np.minimum.accumulate(least)[:-1]])  # nothing before the first
    group = np.cumsum(new) - 1
    return np.asarray((second == least[group]) & ~(before <= least)[group])


def _front_of_many(ranked: NDArray[np.float64]) -> NDArray[np.bool_]:
    found = np.zeros(len(ranked), dtype=np.bool_)
    for place, row in enumerate(ranked):
        front = ranked[:place][found[:place]]
        found[place] = not bool(((front <= row).all(1) & (front < row).any(1)).any())
    return found
