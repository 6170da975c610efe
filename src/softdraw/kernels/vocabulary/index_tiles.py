"""What the tiles of a draw over a vocabulary share: how large they are, and what is known of each row."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype, wide

__all__ = ["Drawn", "Head", "Upstream", "computed"]

#: numbers of a tile of logits, which stay in the second-level cache: for one thread, and for several, which
#: wait for each other after every tile and so lose more by small ones
_TILE, _SHARED_TILE = 1 << 16, 1 << 18
#: classes of a tile for many rows, and the most for few; a multiple of a block of the counter
_CLASSES, _MOST_CLASSES = 1024, 16384
#: rows of a tile; more would not make the product faster, and need more memory
_MOST_ROWS = 512


class Drawn(NamedTuple):
    """What is known of each row, of all tiles so far. Distances are to the largest logit, ``top``.

    Attributes:
        index: int64 ``[samples, rows]``, the winner; -1 for none.
        best: ``[samples, rows]``, the distance of its perturbed logit.
        chosen: ``[samples, rows]``, its logit.
        top: ``[rows]``, the largest logit; NaN for a row with NaN or ``+inf``, ``-inf`` without an allowed
            class.
        sums: ``[rows, 2]``, the sum of exp(distance) and of distance times that; or None where nobody asks.
        log_total: ``[rows]``, log of the first sum, once all tiles are known and somebody asks.
        mean: ``[rows]``, the second divided by the first: minus the entropy, plus ``log_total``.
    """

    index: Tensor  # type: ignore[assignment] # a tuple has a method of this name
    best: Tensor
    chosen: Tensor
    top: Tensor
    sums: Tensor | None
    log_total: Tensor
    mean: Tensor


class Upstream(NamedTuple):
    """Gradients of what was drawn.

    Attributes:
        picked: ``[samples, rows]``, of each log probability.
        total: ``[rows]``, their sum.
        spread: ``[rows]``, of the entropy.
        along: ``[rows]`` float64, to which each tile adds (gradient of the logit) x (distance); or None.
    """

    picked: Tensor
    total: Tensor
    spread: Tensor
    along: Tensor | None


def computed(hidden: Tensor, weight: Tensor) -> torch.dtype:
    """The dtype that is computed in: float64 where either is, else float32."""
    return torch.float64 if torch.float64 in (hidden.dtype, weight.dtype) else compute_dtype(hidden.dtype)


class Head:
    """Hidden states ``[rows, d]`` and a head ``[V, d]``, whose products come in tiles of one buffer."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        mask: Tensor | None,
        columns: int | None = None,
    ) -> None:
        self.dtype = computed(hidden, weight)
        self.wide = wide(hidden.device)
        self.rows, self.classes = hidden.shape[0], weight.shape[0]
        self.hidden = hidden.to(self.dtype)
        self._weight, self._bias, self._mask = weight, bias, mask
        self._height = max(1, min(self.rows, _MOST_ROWS))
        if columns is None:
            size = _TILE if torch.get_num_threads() == 1 else _SHARED_TILE
            columns = min(max(size // self._height, _CLASSES), _MOST_CLASSES)
        self._columns = min(columns, self.classes)
        self._buffer = hidden.new_empty(self._height * self._columns, dtype=self.dtype)
        self._wide_weight: Tensor | None = None
        if weight.dtype != self.dtype:
            self._wide_weight = weight.new_empty((self._columns, weight.shape[1]), dtype=self.dtype)

    def classes_of_tiles(self) -> Iterator[slice]:
        """The classes of each tile."""
        for start in range(0, self.classes, self._columns):
            yield slice(start, min(start + self._columns, self.classes))

    def rows_of_tiles(self) -> Iterator[slice]:
        """The rows of each tile."""
        for start in range(0, self.rows, self._height):
            yield slice(start, min(start + self._height, self.rows))

    def weight(self, classes: slice) -> Tensor:
        """Rows of the weight in the dtype that is computed in, until the next call."""
        some = self._weight[classes]
        if self._wide_weight is None:
            return some
        return self._wide_weight[: some.shape[0]].copy_(some)

    def bias(self, classes: slice) -> Tensor | None:
        """The bias of some classes."""
        return None if self._bias is None else self._bias[classes].to(self.dtype).contiguous()

    def mask(self, rows: slice, classes: slice) -> Tensor | None:
        """The mask of a tile, ``[classes]`` or ``[rows, classes]``."""
        if self._mask is None or self._mask.dim() == 1:
            return None if self._mask is None else self._mask[classes]
        return self._mask[rows, classes]

    def product(self, rows: slice, weight: Tensor) -> Tensor:
        """The products ``[rows, classes]`` of a tile, in memory that the next one takes over."""
        hidden = self.hidden[rows]
        shape = hidden.shape[0], weight.shape[0]
        tile = self._buffer[: shape[0] * shape[1]].view(shape)
        return torch.mm(hidden, weight.mT, out=tile)
