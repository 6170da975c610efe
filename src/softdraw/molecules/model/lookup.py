"""Features that are whole numbers, read so that a gradient passes where the numbers depend on a choice.

An open valence or a distance is a whole number, and a network reads it as a row of a table. When a graph is
drawn by differentiable choices, the number has a gradient to them. Its row then gets the slope of the table
there, half of the difference between the next row and the one before, so that the gradient goes on; what is
read stays the row itself.
"""

import torch
from torch import Tensor

from softdraw.kernels.formulas import one_hot

__all__ = ["count_features", "read_table"]


def count_features(values: Tensor, least: int, most: int, dtype: torch.dtype) -> Tensor:
    """One-hot ``[..., most - least + 1]`` of whole numbers ``[...]``; beyond the ends they count as those.

    Example:
        >>> count_features(torch.tensor([0, 5]), 0, 2, torch.float32)
        tensor([[1., 0., 0.],
                [0., 0., 1.]])
    """
    classes = most - least + 1
    index = _index(values, least, most)
    hot = one_hot(index, classes, dtype)
    if not values.requires_grad:
        return hot
    up, down = ((index + by).clamp(0, classes - 1) for by in (1, -1))
    slope = (one_hot(up, classes, dtype) - one_hot(down, classes, dtype)) / 2
    return hot + (values - values.detach()).unsqueeze(-1) * slope


def read_table(table: Tensor, row: Tensor, column: Tensor, rows: int) -> Tensor:
    """Entries ``[..., F]`` of a table ``[R, C, F]`` at whole numbers ``row`` and ``column``, both ``[...]``.

    Args:
        table: what is read.
        row: with or without a gradient.
        column: with or without a gradient.
        rows: slopes are taken among the first so many rows.
    """
    columns = table.shape[1]
    flat = table.flatten(0, 1)
    r, c = _index(row, 0, table.shape[0] - 1), _index(column, 0, columns - 1)
    found = flat[r * columns + c]
    if row.requires_grad:
        up, down = (torch.where(r < rows, (r + by).clamp(0, rows - 1), r) for by in (1, -1))
        slope = (flat[up * columns + c] - flat[down * columns + c]) / 2
        found = found + (row - row.detach()).unsqueeze(-1) * slope
    if column.requires_grad:
        up, down = ((c + by).clamp(0, columns - 1) for by in (1, -1))
        slope = (flat[r * columns + up] - flat[r * columns + down]) / 2
        found = found + (column - column.detach()).unsqueeze(-1) * slope
    return found


def _index(values: Tensor, least: int, most: int) -> Tensor:
    whole = values.detach()
    if whole.is_floating_point():
        whole = whole.round().long()
    return whole.clamp(least, most) - least
