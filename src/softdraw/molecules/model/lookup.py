"""Features that are whole numbers, read so that a gradient passes where the numbers depend on a choice.

An open valence or a distance is a whole number, and a network reads it as a row of a table. When a graph is
drawn by differentiable choices, the number has a gradient to them. Its row then gets the slope of the table
there, half of the difference between the next row and the one before, so that the gradient goes on; what is
read stays the row itself.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from softdraw.kernels.formulas import one_hot

__all__ = ["Whole", "count_features", "read_at", "read_table"]


@dataclass(frozen=True)
class Whole:
    """Whole numbers that say which row of a table is read.

    Attributes:
        values: ``[...]`` the numbers, with or without a gradient.
        index: ``[...]`` int64, their rows.
        last: slopes are taken among the rows up to this one; a row after it is no number and has none.
    """

    values: Tensor
    index: Tensor
    last: int

    @classmethod
    def of(cls, values: Tensor, least: int, most: int, last: int | None = None) -> "Whole":
        """Rows of numbers in a table whose first row is ``least``; beyond its ends they count as those.

        Args:
            values: ``[...]`` integers, or whole numbers in floating point.
            least: number of the first row.
            most: number of the last row.
            last: the last row that is a number; None is that of ``most``.
        """
        index = values.detach()
        if index.is_floating_point():
            index = index.round().long()
        index = index.clamp(least, most)
        # each operation counts where a graph is drawn atom by atom
        return cls(values, index - least if least else index, most - least if last is None else last)

    def beside(self, by: int) -> Tensor:
        """The row before (-1) or after (1), of an end itself; after ``last`` both are the same one."""
        return (self.index + by).clamp(0, self.last)


def read_at(read: Callable[..., Tensor], *numbers: Whole, dim: int = -1) -> Tensor:
    """What ``read(index, ...)`` gives at whole numbers, with its slope along those that have a gradient.

    Args:
        read: takes an index for each of ``numbers``.
        numbers: where to read.
        dim: of what is read, the one that the numbers do not have.
    """
    at = [number.index for number in numbers]
    found = read(*at)
    for place, number in enumerate(numbers):
        if number.values.requires_grad:
            up, down = (read(*at[:place], number.beside(by), *at[place + 1 :]) for by in (1, -1))
            change = (number.values - number.values.detach()).unsqueeze(dim)
            found = found + change * ((up - down) / 2)
    return found


def count_features(values: Tensor, least: int, most: int, dtype: torch.dtype) -> Tensor:
    """One-hot ``[..., most - least + 1]`` of whole numbers ``[...]``; beyond the ends they count as those.

    Example:
        >>> count_features(torch.tensor([0, 5]), 0, 2, torch.float32)
        tensor([[1., 0., 0.],
                [0., 0., 1.]])
    """
    return read_at(lambda index: one_hot(index, most - least + 1, dtype), Whole.of(values, least, most))


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
    return read_at(
        lambda r, c: flat[r * columns + c],
        Whole.of(row, 0, table.shape[0] - 1, rows - 1),
        Whole.of(column, 0, columns - 1),
    )
