"""Tiles of a vocabulary's classes and of the rows that draw from it."""

from collections.abc import Iterator

import torch
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype, wide

__all__ = ["MOST_ROWS", "Tiles", "computed"]

#: bytes, for each thread, of a tile of weights and embeddings, of which every product reads all: they stay in
#: the third-level cache
_CLASS_BYTES = 4 << 20
#: bytes of a tile of logits (and of its gradient), which stay in the second-level cache or near it
_TILE_BYTES = 1 << 20
#: rows of a tile; more would not make the product faster, and need more memory
MOST_ROWS = 512
_MOST_THREADS = 4
#: the three on a card, where a tile is to be worth the start of its programs
_ON_CARD = 64 << 20, 32 << 20, 4096


class Tiles:
    """Tiles of a vocabulary in the dtype that is computed in, and buffers that all of them share.

    Args:
        hidden: ``[rows, d]``.
        weight: ``[classes, d]``.
        embedding: ``[classes, e]``, None where there is none beside the weight.
        bias: ``[classes]``.
        mask: bool ``[rows, classes]``, or ``[1, classes]`` for all rows.
        step: classes of a tile; chosen by the sizes without it.
    """

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        embedding: Tensor | None,
        bias: Tensor | None,
        mask: Tensor | None,
        step: int | None = None,
    ) -> None:
        self.rows, self.classes = hidden.shape[0], weight.shape[0]
        self.dtype, self.device = computed(hidden, weight, embedding), hidden.device
        self.weight, self.embedding, self.bias = weight, embedding, bias
        # the loops read the classes of a row side by side
        self.mask = mask if mask is None or mask.stride(1) == 1 else mask.contiguous()
        self.wide = wide(self.device)
        width = hidden.shape[1] + (0 if embedding is None else embedding.shape[1])
        if self.device.type == "cuda":
            (class_bytes, tile_bytes, most_rows), threads = _ON_CARD, 1
        else:
            class_bytes, tile_bytes, most_rows = _CLASS_BYTES, _TILE_BYTES, MOST_ROWS
            # a product that is shared by threads waits for the last of them, so it is to be worth the wait
            threads = min(_MOST_THREADS, torch.get_num_threads())
        self.block = max(1, min(self.rows, most_rows))
        most = min(class_bytes / max(1, width), tile_bytes / self.block) * threads / self.dtype.itemsize
        self.step = max(256, int(most) // 64 * 64) if step is None else step
        self._buffers: dict[str, Tensor] = {}

    def classes_of(self) -> Iterator[slice]:
        """The tiles' classes."""
        return (
            slice(start, min(start + self.step, self.classes)) for start in range(0, self.classes, self.step)
        )

    def rows_of(self) -> Iterator[slice]:
        """The tiles' rows."""
        return (slice(start, min(start + self.block, self.rows)) for start in range(0, self.rows, self.block))

    def product(self, hidden: Tensor, rows: slice, weight: Tensor) -> Tensor:
        """Logits ``[rows, classes]`` of a tile of the weight, in memory that the next tile takes over."""
        some = hidden[rows]
        return torch.mm(some, weight.t(), out=self.buffer("logits", some.shape[0], weight.shape[0]))

    def part(self, name: str, classes: slice) -> Tensor | None:
        """Some classes of ``"bias"``, if there is one."""
        return None if getattr(self, name) is None else self.table(name, classes)

    def table(self, name: str, classes: slice) -> Tensor:
        """Some classes of ``"weight"``, ``"embedding"`` or ``"bias"``, to be read before the next tile."""
        some: Tensor = getattr(self, name)[classes]
        if some.dtype == self.dtype and some.is_contiguous():
            return some
        shape = (some.shape[0], 1) if some.dim() == 1 else some.shape
        return self.buffer(f"part of {name}", *shape).view(some.shape).copy_(some)

    def mask_of(self, rows: slice, classes: slice) -> Tensor | None:
        """The mask of a tile, ``[rows, classes]`` or ``[1, classes]``."""
        if self.mask is None:
            return None
        return self.mask[:, classes] if self.mask.shape[0] == 1 else self.mask[rows, classes]

    def buffer(self, name: str, *shape: int) -> Tensor:
        """Memory of that shape, the same for all tiles."""
        size = shape[0] * shape[1]
        held = self._buffers.get(name)
        if held is None or held.numel() < size:
            held = self._buffers[name] = torch.zeros(size, dtype=self.dtype, device=self.device)
        return held[:size].view(shape)


def computed(hidden: Tensor, weight: Tensor, embedding: Tensor | None = None) -> torch.dtype:
    """The dtype that is computed in: float64 where any of the three is, else float32."""
    dtypes = {hidden.dtype, weight.dtype, hidden.dtype if embedding is None else embedding.dtype}
    return torch.float64 if torch.float64 in dtypes else compute_dtype(hidden.dtype)
