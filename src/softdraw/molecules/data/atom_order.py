"""Random orders in which a molecule can be drawn atom by atom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["random_walks"]

LARGEST_PART = 6
"""Bonds from the first atom to the farthest of a part."""


def random_walks(
    sizes: NDArray[np.int64],
    width: int,
    owner: NDArray[Any],
    later: NDArray[Any],
    earlier: NDArray[Any],
    rng: np.random.Generator,
    *,
    part_first: bool = False,
) -> NDArray[np.int64]:
    """The step ``[B, N]`` at which a random depth-first walk reaches each atom, for the whole batch at once.

    With ``part_first`` the walk finishes a part before it leaves it: the atoms within a random number of
    bonds (0 to 6) of the first one. So any beginning of a molecule is gone on from, as a scaffold is.

    The next atom hangs from the atom reached last among those that still have an unreached neighbour. So an
    atom that is reached at step t gives its unreached neighbours the call t + u, u uniform on [0, 1), and the
    highest call is next.
    """
    batch = len(sizes)
    touching = np.zeros((batch, width, width), dtype=bool)
    touching[owner, later, earlier] = touching[owner, earlier, later] = True
    rows = np.arange(batch)
    rank = np.zeros((batch, width), dtype=np.int64)
    call = np.full((batch, width), -1.0)
    reached = np.arange(width) >= sizes[:, None]
    now = rng.integers(np.maximum(sizes, 1))
    inside = _around(touching, now, rng.integers(0, LARGEST_PART + 1, batch)) * 2.0 * width * part_first
    for step in range(width):
        alive = rows[step < sizes]
        rank[alive, now[alive]] = step
        reached[alive, now[alive]] = True
        near = touching[rows, now]
        call = np.where(near, step + rng.random((batch, width)) + inside, call)
        now = np.where(reached, -2.0, call).argmax(1)
    return rank


def _around(
    touching: NDArray[np.bool_], centre: NDArray[np.int64], radius: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Which atoms ``[B, N]`` lie within ``radius`` bonds of ``centre``."""
    found: NDArray[np.bool_] = np.arange(touching.shape[1]) == centre[:, None]
    for step in range(LARGEST_PART):
        wider = found | (touching & found[:, None, :]).any(2)
        found = np.where((radius > step)[:, None], wider, found)
    return found
