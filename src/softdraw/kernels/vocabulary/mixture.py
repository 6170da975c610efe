"""Mixtures of embeddings by a softmax over a vocabulary, tile by tile of its classes.

As attention with a query for each row, a key and a value for each class, and noise that is made again where
it is needed. The mixture and a few numbers a row are kept; ``mixture_backward`` computes each tile's logits a
second time.
"""

import torch
from torch import Tensor

from softdraw.kernels.vocabulary.mixture_draw import Draw
from softdraw.kernels.vocabulary.mixture_formulas import (
    BAD,
    COUNT,
    TOTAL,
    TOTAL_AT_ONE,
    WEIGHTED,
    loops_of,
    new_state,
)
from softdraw.kernels.vocabulary.tiles import Tiles

__all__ = ["finished", "forward"]


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
        centred: whether there will be a gradient of the logits, which needs the mixture also where the result
            does not.

    Returns:
        The result ``[rows, e]``, the winners ``[rows]``, the mixtures ``[rows, e]`` (``[2, rows, e]`` with a
        second softmax) and the rows' states.
    """
    tiles, loops = Tiles(hidden, weight, embedding, bias, mask), loops_of(hidden)
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
        keys, offsets = tiles.table("weight", classes), tiles.part("bias", classes)
        values = tiles.table("embedding", classes) if mixes and embedding is not None else keys
        for rows in tiles.rows_of():
            shape = rows.stop - rows.start, classes.stop - classes.start
            logits = tiles.product(h, rows, keys)
            other = tiles.buffer("other", *shape) if second else None
            loops.forward_tile(
                logits, other, offsets, tiles.mask_of(rows, classes), tau[rows], state[rows], index[rows],
                factor[rows], draw.key_at(rows.start), draw.class_start + classes.start,
                first=classes.start == 0, noisy=draw.noisy, quiet=draw.quiet,
                entropy=draw.estimator == "entropy-weighted",
            )  # fmt: skip
            if mixes:
                # a new top is rare after the first tiles, and a pass over the sums is not free
                moved = not factor.is_cpu or bool((factor[rows] != 1.0).any())
                columns = (factor[rows, :1], factor[rows, 1:])
                for part, weights, column in zip(centre, (logits, other), columns, strict=False):
                    if moved:
                        part[rows].mul_(column)
                    part[rows].addmm_(weights, values)
    index.masked_fill_(state[:, BAD] != 0, -1)
    winner = table[(index - draw.class_start).clamp_min(0)].to(tiles.dtype)
    if mixes:
        totals = state[:, (TOTAL, TOTAL_AT_ONE)[: 1 + second]].t().unsqueeze(2)
        centre /= torch.where(totals > 0, totals, 1.0).to(tiles.dtype)
    value, centre = finished(draw, tau, centre, winner, index, state)
    return value.to(hidden.dtype), index, centre, state


def finished(
    draw: Draw, tau: Tensor, centre: Tensor, winner: Tensor, index: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """The result of mixtures and the embeddings of the winners, and the mixtures: at tau = 0 the winner's."""
    dtype = winner.dtype
    if centre.numel() and draw.noisy:  # also where two are best
        centre = torch.where((tau == 0).unsqueeze(1), winner, centre)
    value = winner if draw.picks else centre[0]
    if draw.hard and not draw.picks:
        value = torch.lerp(centre[0], winner, _certainty(state).to(dtype).unsqueeze(1))
    poison = torch.where(state[:, BAD] != 0, torch.nan, 0.0).to(dtype).unsqueeze(1)
    return torch.where((index < 0).unsqueeze(1), poison, value), centre


def _certainty(state: Tensor) -> Tensor:
    """The entropy of the softmax over the logarithm of the number of its classes, from 0 to 1."""
    total = torch.where(state[:, TOTAL] > 0, state[:, TOTAL], 1.0)
    entropy = total.log() - state[:, WEIGHTED] / total
    most = torch.where(state[:, COUNT] > 1, state[:, COUNT], 2.0).log()
    return torch.where(state[:, COUNT] > 1, entropy / most, 0.0).clamp(0.0, 1.0)
