"""The tiles of ``kernels.vocabulary.index`` by C loops: contiguous tensors on the CPU, in place."""

import torch
from torch import Tensor

import softdraw.kernels.cpu._native as _native
from softdraw.kernels.vocabulary.index_state import Drawn, Upstream

__all__ = ["draw_tile", "gradient_tile"]

#: as ``enum index_operation`` in ``src/vocabulary/index.h`` has them
_DRAW, _GRADIENT = range(2)
#: elements of a tile that a thread takes at a time
_PIECE = 8192


def draw_tile(
    tile: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    drawn: Drawn,
    row: int,
    class_start: int,
    seed: int,
    offset: int,
) -> None:
    """As ``kernels.vocabulary.index_formulas.draw_tile``."""
    _run(_DRAW, tile, bias, mask, rate, drawn, None, row, class_start, seed, offset)


def gradient_tile(
    tile: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    drawn: Drawn,
    upstream: Upstream,
    row: int,
    class_start: int,
) -> None:
    """As ``kernels.vocabulary.index_formulas.gradient_tile``."""
    _run(_GRADIENT, tile, bias, mask, rate, drawn, upstream, row, class_start, 0, 0)


def _run(
    operation: int,
    tile: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    rate: Tensor,
    drawn: Drawn,
    upstream: Upstream | None,
    row: int,
    class_start: int,
    seed: int,
    offset: int,
) -> None:
    rows, classes = tile.shape
    samples, all_rows = drawn.index.shape
    stride = 0 if mask is None or mask.shape[0] == 1 else mask.stride(0)
    size = tile.element_size()
    known = (
        (None,) * 5 if upstream is None else (drawn.log_total, drawn.mean, *upstream[1:3], upstream.picked)
    )
    log_total, mean, total, spread, picked = (_place(one, row * size) for one in known)
    _native.run_index(
        operation, tile.dtype == torch.float64, rows, classes, samples, all_rows, class_start,
        seed, offset + row,
        tile.data_ptr(), _place(bias, 0), _place(mask, 0), stride, _place(rate, row * size),
        _place(drawn.top, row * size), _place(drawn.best, row * size), _place(drawn.chosen, row * size),
        _place(drawn.index, row * 8), _place(drawn.sums, row * 16), log_total, mean, total, spread, picked,
        _place(None if upstream is None else upstream.along, row * 8),
        max(1, _PIECE // classes), torch.get_num_threads(),
    )  # fmt: skip


def _place(tensor: Tensor | None, skipped: int) -> int:
    """The address of a contiguous tensor's memory, ``skipped`` bytes on; 0 for None."""
    return 0 if tensor is None else tensor.data_ptr() + skipped
