"""Draws of an index from a vocabulary, with log probability and entropy, tile by tile of its classes, and
their gradient.

Forward each tile of logits is made, searched and summed up, and its memory taken over by the next one.
Backward makes it again, turns it into its gradient, and multiplies that with what it came from: the fused
linear cross entropy.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from softdraw.kernels.dispatch import backend_of
from softdraw.kernels.vocabulary import index_formulas
from softdraw.kernels.vocabulary.index_state import Drawn, Upstream
from softdraw.kernels.vocabulary.tiles import MOST_ROWS, Tiles

__all__ = ["Gradients", "backward", "forward"]

#: numbers of a tile of logits, which stay in the second-level cache: for one thread, and for several, which
#: wait for each other after every tile and so lose more by small ones
_TILE, _SHARED_TILE = 1 << 16, 1 << 18
#: classes of a tile for many rows, and the most for few; a multiple of a block of the counter
_CLASSES, _MOST_CLASSES = 1024, 16384


class Gradients(NamedTuple):
    """Gradients in the shapes and dtypes of what they are of; None for what needs none."""

    hidden: Tensor | None
    weight: Tensor | None
    bias: Tensor | None
    tau: Tensor | None


def forward(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    key: tuple[int, int],
    samples: int,
    measured: bool,
    columns: int | None = None,
    class_start: int | None = None,
) -> Drawn:
    """Draw from softmax((hidden weight^T + bias) / tau).

    Args:
        hidden: ``[rows, d]``.
        weight: ``[V, d]``.
        bias: ``[V]``.
        mask: bool ``[rows, V]``, or ``[1, V]`` for all rows.
        tau: ``[rows]``, in the dtype that is computed in.
        key: seed and offset.
        samples: draws of each row.
        measured: whether ``log_total`` and ``mean`` are wanted.
        columns: classes of a tile, a multiple of 4; chosen by the rows without it.
        class_start: the number of the first class of a part of a vocabulary.
    """
    fused = getattr(backend_of(hidden), "index_draws", None)
    if class_start is None and fused is not None and fused.serves(tau.dtype, samples):
        return _finished(fused.draw(hidden, weight, bias, mask, _rate(tau), key, samples, measured))
    tiles = _tiles(hidden, weight, bias, mask, columns)
    module = _module(hidden)
    h = hidden.to(tiles.dtype)
    shape = samples, tiles.rows
    unknown = hidden.new_empty(0, dtype=tiles.dtype)
    drawn = Drawn(
        index=hidden.new_full(shape, -1, dtype=torch.int64),
        best=hidden.new_full(shape, -torch.inf, dtype=tiles.dtype),
        chosen=hidden.new_full(shape, -torch.inf, dtype=tiles.dtype),
        top=hidden.new_full((tiles.rows,), -torch.inf, dtype=tiles.dtype),
        sums=hidden.new_zeros((tiles.rows, 2), dtype=tiles.wide) if measured else None,
        log_total=unknown,
        mean=unknown,
    )
    rate = _rate(tau)
    for classes in tiles.classes_of():
        some, some_bias = tiles.table("weight", classes), tiles.part("bias", classes)
        for rows in tiles.rows_of():
            tile, allowed = tiles.product(h, rows, some), tiles.mask_of(rows, classes)
            module.draw_tile(
                tile, some_bias, allowed, rate, drawn, rows.start, (class_start or 0) + classes.start, *key
            )
    return _finished(drawn)


def _finished(drawn: Drawn) -> Drawn:
    """What all tiles together say: no index in a row with NaN or ``+inf``, and the sums read."""
    drawn.index.masked_fill_(torch.isnan(drawn.top), -1)
    if drawn.sums is None:
        return drawn
    total, weighted = drawn.sums.unbind(-1)
    safe = torch.where(total == 0, 1.0, total)
    # NaN for a row with NaN or +inf, 0 for one without an allowed class
    poison = torch.where(torch.isnan(drawn.top), torch.nan, 0.0).to(safe.dtype)
    log_total, mean = safe.log() + poison, weighted / safe + poison
    return drawn._replace(log_total=log_total.to(drawn.top.dtype), mean=mean.to(drawn.top.dtype))


def backward(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    drawn: Drawn,
    log_prob_grad: Tensor,
    entropy_grad: Tensor,
    needs: tuple[bool, bool, bool, bool],
    columns: int | None = None,
    class_start: int = 0,
) -> Gradients:
    """Gradients of ``log_prob`` ``[samples, rows]`` and ``entropy`` ``[rows]``, as ``needs`` has them."""
    tiles = _tiles(hidden, weight, bias, mask, columns)
    module, rate = _module(hidden), _rate(tau)
    h = hidden.to(tiles.dtype)
    # a row without a winner has no log probability that could move
    picked = torch.where(drawn.index < 0, 0.0, log_prob_grad.to(tiles.dtype)).contiguous()
    upstream = Upstream(
        picked,
        picked.sum(0),
        entropy_grad.to(tiles.dtype).contiguous(),
        hidden.new_zeros((tiles.rows,), dtype=tiles.wide) if needs[3] else None,
    )
    of_hidden = torch.zeros_like(h, memory_format=torch.contiguous_format) if needs[0] else None
    of_weight = torch.zeros_like(weight, memory_format=torch.contiguous_format) if needs[1] else None
    of_bias = torch.zeros_like(bias) if needs[2] and bias is not None else None
    narrow = of_weight is not None and of_weight.dtype != tiles.dtype
    for classes in tiles.classes_of():
        some, some_bias = tiles.table("weight", classes), tiles.part("bias", classes)
        of_some = None if of_weight is None else of_weight[classes]
        if narrow:
            of_some = torch.zeros_like(some)
        of_some_bias = some.new_zeros(some.shape[0]) if of_bias is not None else None
        for rows in tiles.rows_of():
            tile, allowed = tiles.product(h, rows, some), tiles.mask_of(rows, classes)
            module.gradient_tile(
                tile, some_bias, allowed, rate, drawn, upstream, rows.start, class_start + classes.start
            )
            if of_hidden is not None:
                of_hidden[rows].addmm_(tile, some)
            if of_some is not None:
                of_some.addmm_(tile.mT, h[rows], beta=0 if rows.start == 0 else 1)
            if of_some_bias is not None:
                of_some_bias += tile.sum(0)
        if narrow and of_weight is not None and of_some is not None:
            of_weight[classes] = of_some
        if of_bias is not None and of_some_bias is not None:
            of_bias[classes] = of_some_bias
    of_tau = None
    if upstream.along is not None:
        # the gradients of a row's logits add up to 0, so distances serve for logits
        of_tau = (-upstream.along * rate).to(tau.dtype)
    return Gradients(None if of_hidden is None else of_hidden.to(hidden.dtype), of_weight, of_bias, of_tau)


def _tiles(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, mask: Tensor | None, columns: int | None
) -> Tiles:
    """Tiles whose logits stay in a cache."""
    if columns is None:
        size = _TILE if torch.get_num_threads() == 1 else _SHARED_TILE
        columns = min(max(size // max(1, min(hidden.shape[0], MOST_ROWS)), _CLASSES), _MOST_CLASSES)
    return Tiles(hidden, weight, None, bias, mask, columns)


def _rate(tau: Tensor) -> Tensor:
    """1 / tau, finite."""
    return (1.0 / tau).clamp(max=torch.finfo(tau.dtype).max).contiguous()


def _module(hidden: Tensor) -> Any:
    return getattr(backend_of(hidden), "vocabulary", index_formulas)
