"""Work on those rows of a batch only that need it.

Graphs end at different atoms, and most atoms are bonded to one earlier atom only: when many are drawn at a
time, half of the rows of a decision are of graphs that have nothing to decide.
"""

from torch import Tensor

__all__ = ["few_rows", "put_back", "taken"]

NEARLY_ALL = 0.85
"""From this share on, picking rows costs more than the work on the others."""


def few_rows(needed: Tensor, among: int | None = None) -> Tensor | None:
    """The rows ``[n]`` that are needed; None where that are nearly all.

    Args:
        needed: ``[B]`` boolean.
        among: how many rows are worked on now, if not ``B``.
    """
    rows = needed.nonzero().squeeze(1)
    return rows if len(rows) <= NEARLY_ALL * (len(needed) if among is None else among) else None


def taken(rows: Tensor | None, *tensors: Tensor) -> tuple[Tensor, ...]:
    """These rows of each tensor; all, where ``rows`` is None."""
    return tensors if rows is None else tuple(tensor[rows] for tensor in tensors)


def put_back(rows: Tensor | None, found: Tensor, batch: int) -> Tensor:
    """``found`` in its rows of a tensor ``[batch, ...]`` of zeros."""
    if rows is None:
        return found
    return found.new_zeros(batch, *found.shape[1:]).index_copy_(0, rows, found)
