"""Random orders in which a molecule can be drawn atom by atom."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["random_walks"]


def random_walks(
    sizes: NDArray[np.int64],
    width: int,
    owner: NDArray[Any],
    later: NDArray[Any],
    earlier: NDArray[Any],
    rng: np.random.Generator,
) -> NDArray[np.int64]:
    """The step ``[B, N]`` at which a random depth-first walk reaches each atom, for the whole batch at once.

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
    for step in range(width):
        alive = rows[step < sizes]
        rank[alive, now[alive]] = step
        reached[alive, now[alive]] = True
        near = touching[rows, now]
        call = np.where(near, step + rng.random((batch, width)), call)
        now = np.where(reached, -2.0, call).argmax(1)
    return rank
