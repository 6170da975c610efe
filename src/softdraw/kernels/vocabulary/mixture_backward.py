"""The gradients of a mixture of a vocabulary's embeddings: each tile's logits are made again."""

import torch
from torch import Tensor

from softdraw.kernels.vocabulary.mixture_draw import Draw
from softdraw.kernels.vocabulary.mixture_formulas import loops_of
from softdraw.kernels.vocabulary.tiles import Tiles

__all__ = ["backward"]


class _Sums:
    """A gradient of classes, of which one tile after the other is finished."""

    def __init__(self, like: Tensor | None, wanted: bool, tiles: Tiles, name: str) -> None:
        self.whole = (
            None
            if like is None or not wanted
            else torch.empty_like(like, memory_format=torch.contiguous_format)
        )
        self.tiles, self.name, self.tile = tiles, name, torch.empty(0)

    def begin(self, classes: slice) -> None:
        """Take up a tile."""
        if self.whole is not None:
            part = self.whole[classes]
            same = part.dtype == self.tiles.dtype
            self.tile = part if same else self.tiles.buffer(self.name, *part.shape)
            self.fresh = True

    def add(self, rows: Tensor, values: Tensor) -> None:
        """Add the product ``rows^T @ values``."""
        if self.whole is not None:
            if self.fresh:
                torch.mm(rows.t(), values, out=self.tile)
            else:
                self.tile.addmm_(rows.t(), values)
            self.fresh = False

    def place(self, places: Tensor, values: Tensor) -> None:
        """Add values to classes of the tile."""
        if self.whole is not None and places.numel():
            if self.fresh:
                self.tile.zero_()
            self.tile.index_add_(0, places, values)
            self.fresh = False

    def end(self, classes: slice) -> None:
        """Put the tile away."""
        if self.whole is not None and self.fresh:
            self.tile.zero_()
        if self.whole is not None and self.tile.dtype != self.whole.dtype:
            self.whole[classes] = self.tile


def backward(
    grad: Tensor,
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    draw: Draw,
    index: Tensor,
    centre: Tensor,
    state: Tensor,
    needs: tuple[bool, bool, bool, bool, bool],
    winner: Tensor | None = None,
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of hidden, weight, embedding, bias and row_tau, those that ``needs`` asks for.

    The arguments are those of ``forward`` and its results. Where the embedding is the weight, the weight's
    gradient is that of both. ``winner`` is the embedding of each row's, which another rank may have.
    """
    tiles, loops = Tiles(hidden, weight, embedding, bias, mask), loops_of(hidden)
    # a hook on saved tensors may have laid them out anew
    index, state, centre = index.contiguous(), state.contiguous(), centre.contiguous()
    need_hidden, need_weight, need_embedding, need_bias, need_tau = needs
    tied, reinmax = embedding is None, draw.estimator == "reinmax"
    table = weight if embedding is None else embedding
    need_tau = need_tau and not reinmax
    learns = need_hidden or need_weight or need_bias or need_tau
    need_table = need_weight if tied else need_embedding
    lost = (index < 0).unsqueeze(1)
    # what is lost has gradient 0, and no part in those of the others: a product would make NaN of 0 times NaN
    h, upstream = (one.to(tiles.dtype).masked_fill(lost, 0.0) for one in (hidden, grad))
    # one product of both with a tile of the table that is weight and embedding
    both = None
    if tied and tiles.rows:
        both = torch.cat([part[rows] for rows in tiles.rows_of() for part in (h, upstream)])
    tau = draw.taus(tiles.rows, tiles.wide, tiles.device)
    means = (
        _means(upstream, table, index - draw.class_start, winner, centre, reinmax, tiles)
        if learns
        else state.new_zeros(tiles.rows, 3)
    )
    result = h.new_zeros(h.shape) if need_hidden else None
    tau_grad = state.new_zeros(tiles.rows) if need_tau else None
    of_weight = _Sums(weight, need_weight, tiles, "weight")
    of_table = of_weight if tied else _Sums(table, need_embedding, tiles, "embedding")
    of_bias = None if bias is None or not need_bias else torch.zeros_like(bias, dtype=tiles.dtype)
    winners = _Winners(index - draw.class_start, upstream, tiles) if draw.picks and need_table else None
    soft_table = need_table and not draw.picks
    for classes in tiles.classes_of():
        of_weight.begin(classes)
        if not tied:
            of_table.begin(classes)
        if learns or soft_table:
            keys, offsets = tiles.table("weight", classes), tiles.part("bias", classes)
            values = tiles.table("embedding", classes) if learns and not tied else keys
            for rows in tiles.rows_of():
                r, n = rows.stop - rows.start, classes.stop - classes.start
                tile = tiles.buffer("logits", 2 * r, n)
                logits, g = tile[:r], tile[r:]
                pair = None if both is None else both[2 * rows.start : 2 * rows.stop]
                if pair is not None:
                    torch.mm(pair, keys.t(), out=tile)
                else:
                    torch.mm(h[rows], keys.t(), out=logits)
                    if learns:
                        torch.mm(upstream[rows], values.t(), out=g)
                loops.backward_tile(
                    logits, g, offsets, tiles.mask_of(rows, classes), tau[rows], state[rows], index[rows],
                    means[rows], None if tau_grad is None else tau_grad[rows], draw.key_at(rows.start),
                    draw.class_start + classes.start,
                    noisy=draw.noisy, reinmax=reinmax, second=draw.second, weights=soft_table,
                )  # fmt: skip
                if result is not None:
                    result[rows].addmm_(logits, keys)
                if of_bias is not None:
                    of_bias[classes] += logits.sum(0)
                if pair is not None and soft_table:
                    of_weight.add(tile, pair)
                else:
                    of_weight.add(logits, h[rows] if pair is None else pair[:r])
                    if soft_table:
                        of_table.add(g, upstream[rows])
        if winners is not None:
            winners.place(of_table, classes)
        of_weight.end(classes)
        if not tied:
            of_table.end(classes)
    return (
        None if result is None else result.to(hidden.dtype),
        of_weight.whole,
        None if tied else of_table.whole,
        None if of_bias is None or bias is None else of_bias.to(bias.dtype),
        None if tau_grad is None or draw.row_tau is None else tau_grad.to(draw.row_tau.dtype),
    )


def _means(
    upstream: Tensor,
    table: Tensor,
    places: Tensor,
    winner: Tensor | None,
    centre: Tensor,
    reinmax: bool,
    tiles: Tiles,
) -> Tensor:
    """The means of g under the softmax at tau and at 1, and the winner's g: ``[rows, 3]``."""
    own = upstream.new_zeros(tiles.rows)
    if reinmax:
        winner = table[places.clamp_min(0)] if winner is None else winner
        own = (upstream * winner.to(tiles.dtype)).sum(1)
    first, last = (upstream * centre[0]).sum(1), (upstream * centre[-1]).sum(1)
    return torch.stack((first, last, own), 1).to(tiles.wide)


class _Winners:
    """The upstream gradients in the order of their winners, for the tiles that these lie in."""

    def __init__(self, places: Tensor, upstream: Tensor, tiles: Tiles) -> None:
        self.places, order = places.sort()
        self.upstream = upstream[order]
        # beyond both ends lie the winners of other ranks
        edges = [*(part.start for part in tiles.classes_of()), tiles.classes]
        self.bounds = torch.searchsorted(self.places, torch.tensor(edges, device=places.device)).tolist()
        self.step = tiles.step

    def place(self, sums: _Sums, classes: slice) -> None:
        """Add those of one tile."""
        number = classes.start // self.step
        one = slice(self.bounds[number], self.bounds[number + 1])
        sums.place(self.places[one] - classes.start, self.upstream[one])
