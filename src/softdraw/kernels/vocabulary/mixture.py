"""Mixtures of embeddings by a softmax over a vocabulary, forward and backward, tile by tile of its classes.

As attention with a query for each row, a key and a value for each class, and noise that is made again where it is
needed. Forward keeps the mixture and a few numbers a row; backward computes each tile's logits a second time.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from softdraw.kernels.dispatch import backend_of
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.kernels.vocabulary import mixture_formulas as formulas
from softdraw.kernels.vocabulary.mixture_formulas import BAD, COUNT, TOTAL, TOTAL_AT_ONE, WEIGHTED, new_state

__all__ = ["Draw", "backward", "computed", "forward", "wide"]

#: bytes of a tile of weights and embeddings, of which every product reads all: they stay in the third-level cache
_CLASS_BYTES = 4 << 20
#: bytes of a tile of logits (and of its gradient), which stay in the second-level cache or near it
_TILE_BYTES = 1 << 20
_MOST_ROWS = 512


class Draw(NamedTuple):
    """What both directions have in common.

    Attributes:
        estimator: ``"st-gumbel-softmax"`` (soft samples are its relaxation), ``"st"``, ``"reinmax"`` or
            ``"entropy-weighted"``.
        hard: whether the result is the winner's embedding (with ``"entropy-weighted"`` partly).
        tau: the temperature of every row, for all rows without ``row_tau``.
        row_tau: ``[rows]`` or None.
        key: seed and offset.
        class_start: the number of the first class.
    """

    estimator: str
    hard: bool
    tau: float
    row_tau: Tensor | None
    key: tuple[int, int]
    class_start: int

    @property
    def noisy(self) -> bool:
        """Whether the weights are those of the perturbed logits."""
        return self.estimator == "st-gumbel-softmax"

    @property
    def second(self) -> bool:
        """Whether the gradient needs a softmax at temperature 1 beside the one at tau."""
        return self.estimator == "reinmax" and (self.row_tau is not None or self.tau != 1.0)

    @property
    def picks(self) -> bool:
        """Whether the result is the winner's embedding alone."""
        return self.hard and self.estimator != "entropy-weighted"

    def taus(self, rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The temperatures ``[rows]``."""
        if self.row_tau is None:
            return torch.full((rows,), self.tau, dtype=dtype, device=device)
        return self.row_tau.to(dtype).contiguous()

    def key_at(self, row: int) -> tuple[int, int]:
        """The key whose first row is ``row``."""
        return self.key[0], self.key[1] + row


class _Tiles:
    """Tiles of a vocabulary in the dtype that is computed in, and buffers that all of them share."""

    def __init__(
        self,
        hidden: Tensor,
        weight: Tensor,
        embedding: Tensor | None,
        bias: Tensor | None,
        mask: Tensor | None,
    ) -> None:
        self.rows, self.classes = hidden.shape[0], weight.shape[0]
        self.dtype, self.device = computed(hidden, weight, embedding), hidden.device
        self.weight, self.embedding, self.bias, self.mask = weight, embedding, bias, mask
        self.wide = wide(self.device)
        size = self.dtype.itemsize
        width = hidden.shape[1] + (0 if embedding is None else embedding.shape[1])
        most = min(
            _CLASS_BYTES // (size * max(1, width)), _TILE_BYTES // (size * max(1, min(self.rows, _MOST_ROWS)))
        )
        self.step = max(256, most // 64 * 64)
        self.block = max(1, min(self.rows, _MOST_ROWS))
        self.module = getattr(backend_of(hidden), "mixture", formulas)
        self._buffers: dict[str, Tensor] = {}

    def classes_of(self) -> Iterator[slice]:
        """The tiles' classes."""
        return (
            slice(start, min(start + self.step, self.classes)) for start in range(0, self.classes, self.step)
        )

    def rows_of(self) -> Iterator[slice]:
        """The tiles' rows."""
        return (slice(start, min(start + self.block, self.rows)) for start in range(0, self.rows, self.block))

    def part(self, name: str, classes: slice) -> Tensor | None:
        """Some classes of weight, embedding or bias, by its name."""
        tensor: Tensor | None = getattr(self, name)
        if tensor is None:
            return None
        some = tensor[classes]
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


def computed(hidden: Tensor, weight: Tensor, embedding: Tensor | None) -> torch.dtype:
    """The dtype that is computed in: float64 where any of the three is, else float32."""
    dtypes = {hidden.dtype, weight.dtype, hidden.dtype if embedding is None else embedding.dtype}
    return torch.float64 if torch.float64 in dtypes else compute_dtype(hidden.dtype)


def forward(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    draw: Draw,
    centred: bool,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The mixtures, and what their backward needs.

    Args:
        hidden: ``[rows, d]``.
        weight: ``[classes, d]``.
        embedding: ``[classes, e]``, None where it is the weight.
        bias: ``[classes]``.
        mask: bool ``[rows, classes]`` or ``[1, classes]``.
        draw: which mixture.
        centred: whether there will be a gradient of the logits, which needs the mixture also where the result does
            not.

    Returns:
        The result ``[rows, e]``, the winners ``[rows]``, the mixtures ``[rows, e]`` (``[2, rows, e]`` with a second
        softmax) and the rows' states.
    """
    tiles = _Tiles(hidden, weight, embedding, bias, mask)
    table = weight if embedding is None else embedding
    h = hidden.to(tiles.dtype).contiguous()
    tau = draw.taus(tiles.rows, tiles.wide, tiles.device)
    state = new_state(tiles.rows, tiles.wide, tiles.device)
    index = torch.full((tiles.rows,), -1, dtype=torch.int64, device=tiles.device)
    factor = h.new_empty(tiles.rows, 2)
    second = draw.second and centred
    mixes = centred or not draw.picks
    centre = h.new_zeros(1 + second, tiles.rows, table.shape[1]) if mixes else h.new_zeros(0)
    for classes in tiles.classes_of():
        keys, offsets = tiles.part("weight", classes), tiles.part("bias", classes)
        assert keys is not None
        values = tiles.part("embedding", classes) if mixes and embedding is not None else keys
        for rows in tiles.rows_of():
            shape = rows.stop - rows.start, classes.stop - classes.start
            logits = tiles.buffer("logits", *shape)
            other = tiles.buffer("other", *shape) if second else None
            torch.mm(h[rows], keys.t(), out=logits)
            tiles.module.forward_tile(
                logits, other, offsets, tiles.mask_of(rows, classes), tau[rows], state[rows], index[rows],
                factor[rows], draw.key_at(rows.start), draw.class_start + classes.start,
                first=classes.start == 0, noisy=draw.noisy, entropy=draw.estimator == "entropy-weighted",
            )  # fmt: skip
            if mixes:
                for part, weights, column in zip(
                    centre, (logits, other), factor[rows].split(1, 1), strict=False
                ):
                    part[rows].mul_(column).addmm_(weights, values)
    index.masked_fill_(state[:, BAD] != 0, -1)
    winner = table[(index - draw.class_start).clamp_min(0)].to(tiles.dtype)
    if mixes:
        totals = state[:, (TOTAL, TOTAL_AT_ONE)[: 1 + second]].t().unsqueeze(2)
        centre /= torch.where(totals > 0, totals, 1.0).to(tiles.dtype)
        if draw.noisy:  # at tau = 0 the winner's, also where two are best
            centre = torch.where((tau == 0).unsqueeze(1), winner, centre)
    value = winner if draw.picks else centre[0]
    if draw.hard and not draw.picks:
        value = torch.lerp(centre[0], winner, _certainty(state).to(tiles.dtype).unsqueeze(1))
    poison = torch.where(state[:, BAD] != 0, torch.nan, 0.0).to(tiles.dtype).unsqueeze(1)
    value = torch.where((index < 0).unsqueeze(1), poison, value)
    return value.to(hidden.dtype), index, centre, state


def _certainty(state: Tensor) -> Tensor:
    """The entropy of the softmax over the logarithm of the number of its classes, from 0 to 1."""
    total = torch.where(state[:, TOTAL] > 0, state[:, TOTAL], 1.0)
    entropy = total.log() - state[:, WEIGHTED] / total
    most = torch.where(state[:, COUNT] > 1, state[:, COUNT], 2.0).log()
    return torch.where(state[:, COUNT] > 1, entropy / most, 0.0).clamp(0.0, 1.0)


class _Sums:
    """A gradient of classes, of which one tile after the other is finished."""

    def __init__(self, like: Tensor | None, wanted: bool, tiles: _Tiles, name: str) -> None:
        self.whole = torch.empty_like(like, memory_format=torch.contiguous_format) if wanted else None
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
        if self.whole is not None:
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
) -> tuple[Tensor | None, Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of hidden, weight, embedding, bias and row_tau, those that ``needs`` asks for.

    The arguments are those of ``forward`` and its results. Where the embedding is the weight, the weight's gradient is
    that of both.
    """
    tiles = _Tiles(hidden, weight, embedding, bias, mask)
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
    both = torch.cat([part[rows] for rows in tiles.rows_of() for part in (h, upstream)]) if tied else None
    tau = draw.taus(tiles.rows, tiles.wide, tiles.device)
    means = (
        _means(upstream, table, index - draw.class_start, centre, reinmax, tiles)
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
            keys, offsets = tiles.part("weight", classes), tiles.part("bias", classes)
            values = tiles.part("embedding", classes) if learns and not tied else keys
            assert keys is not None and values is not None
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
                tiles.module.backward_tile(
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
    upstream: Tensor, table: Tensor, places: Tensor, centre: Tensor, reinmax: bool, tiles: _Tiles
) -> Tensor:
    """The means of g under the softmax at tau and at 1, and the winner's g: ``[rows, 3]``."""
    own = (
        (upstream * table[places.clamp_min(0)].to(tiles.dtype)).sum(1)
        if reinmax
        else upstream.new_zeros(tiles.rows)
    )
    first, last = (upstream * centre[0]).sum(1), (upstream * centre[-1]).sum(1)
    return torch.stack((first, last, own), 1).to(tiles.wide)


class _Winners:
    """The upstream gradients in the order of their winners, for the tiles that these lie in."""

    def __init__(self, places: Tensor, upstream: Tensor, tiles: _Tiles) -> None:
        self.places, order = places.sort()
        self.upstream = upstream[order]
        starts = torch.tensor([part.start for part in tiles.classes_of()], device=places.device)
        self.bounds = [*torch.searchsorted(self.places, starts).tolist(), tiles.rows]
        self.step = tiles.step

    def place(self, sums: _Sums, classes: slice) -> None:
        """Add those of one tile."""
        number = classes.start // self.step
        one = slice(self.bounds[number], self.bounds[number + 1])
        sums.place(self.places[one] - classes.start, self.upstream[one])
