"""Tensors that get an entry with every atom drawn."""

import torch
from torch import Tensor

__all__ = ["Growing"]


class Growing:
    """What was appended so far, side by side along one dim.

    Where gradients are recorded each append makes a new tensor. Otherwise entries are written into memory
    that was set aside, and what is read is a view of it: copying it all at every atom took a third of the
    time of a draw.

    Args:
        dim: along which entries lie side by side.
        most: entries that will come.
    """

    def __init__(self, dim: int, most: int) -> None:
        self.dim, self.most, self.count = dim, most, 0
        self._held: Tensor | None = None

    def append(self, entry: Tensor) -> Tensor:
        """Add an entry, of length 1 along the dim; all so far."""
        if torch.is_grad_enabled():
            self._held = entry if self._held is None else torch.cat((self._held, entry), self.dim)
        else:
            if self._held is None:
                shape = list(entry.shape)
                shape[self.dim] = self.most
                self._held = entry.new_empty(shape)
            self._held.narrow(self.dim, self.count, 1).copy_(entry)
        self.count += 1
        return self.all

    def keep(self, dim: int, rows: Tensor) -> None:
        """Go on with some of what lies along another dim.

        Args:
            dim: not the one along which entries lie.
            rows: which of it.
        """
        if self._held is not None:
            self._held = self._held.index_select(dim, rows)

    @property
    def all(self) -> Tensor:
        """All entries so far.

        Raises:
            RuntimeError: there is none.
        """
        if self._held is None:
            raise RuntimeError("Growing: got no entry yet, expected at least one append")
        return self._held.narrow(self.dim, 0, self.count)
