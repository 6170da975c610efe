"""The mixture of a vocabulary's embeddings where its rows are split over ranks."""

from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.saved import keep, kept
from softdraw.kernels.vocabulary.mixture import finished
from softdraw.kernels.vocabulary.mixture_draw import Draw
from softdraw.kernels.vocabulary.mixture_formulas import (
    BAD,
    BASE,
    BEST,
    COUNT,
    TOP,
    TOTAL,
    TOTAL_AT_ONE,
    WEIGHTED,
)
from softdraw.kernels.vocabulary.mixture_shard_op import mix_shard, shard_gradient
from softdraw.sharding.collectives import Axes, max_over, sum_over
from softdraw.sharding.winner import winner_over

__all__ = ["mix"]

#: places of hidden, weight, embedding, bias and row_tau among the inputs
_LEARNED = (0, 1, 2, 3, 5)


class _Mix(torch.autograd.Function):
    """Mixtures and winners, the same on all ranks.

    The gradients of weight, embedding and bias are this rank's; those of hidden states and temperatures are
    sums.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        embedding: Tensor | None,
        bias: Tensor | None,
        mask: Tensor | None,
        row_tau: Tensor | None,
        tau: float,
        state: Tensor,
        estimator: str,
        hard: bool,
        centred: bool,
        start: Tensor,
        axes: Axes,
    ) -> tuple[Tensor, Tensor]:
        inputs = hidden, weight, embedding, bias, mask, row_tau, tau, state, estimator, hard, centred, start
        found, centre, known = mix_shard(*inputs)
        draw = Draw(estimator, hard, tau, row_tau, (0, 0), 0)
        temperatures = draw.taus(hidden.shape[0], known.dtype, known.device)
        base, bad = known[:, BASE], known[:, BAD] != 0
        won = winner_over(known[:, BEST] + base, found, found < 0, bad, axes)
        shares, known = _known(known, won.value, temperatures, axes)
        table = weight if embedding is None else embedding
        place = won.classes - start.to(won.classes.device)
        here = (place >= 0) & (place < table.shape[0]) & (won.classes >= 0)
        dtype = centre.dtype if centre.numel() else shares.dtype
        picked = table[torch.where(here, place, 0)].to(dtype)
        winner = sum_over(torch.where(here.unsqueeze(1), picked, 0.0), axes)
        if centre.numel():
            count = centre.shape[0]
            centre = sum_over(centre * shares[:count].to(dtype).unsqueeze(2), axes)
            totals = known[:, (TOTAL, TOTAL_AT_ONE)[:count]].t().unsqueeze(2)
            centre = centre / torch.where(totals > 0, totals, 1.0).to(dtype)
        value, centre = finished(draw, temperatures, centre, winner, won.classes, known)
        keep(ctx, won.classes, centre, known, winner, *inputs)
        ctx.axes = axes
        ctx.mark_non_differentiable(won.classes)
        return value.to(hidden.dtype), won.classes

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _: Any) -> tuple[Tensor | None, ...]:
        found, centre, known, winner, *inputs = kept(ctx)
        needs = [bool(ctx.needs_input_grad[place]) for place in _LEARNED]
        if inputs[8] == "reinmax":
            needs[-1] = False  # its temperature gets no gradient
        gradients = shard_gradient(grad, found, centre, known, winner, *inputs, needs)
        result: list[Tensor | None] = [None] * 13
        for place, need, one in zip(_LEARNED, needs, gradients, strict=True):
            if need:
                result[place] = sum_over(one, ctx.axes) if place in (0, 5) else one
        return tuple(result)


def _known(known: Tensor, best: Tensor, tau: Tensor, axes: Axes) -> tuple[Tensor, Tensor]:
    """What this part has in the whole, at tau and at 1 ``[2, rows]``, and the states of rows over all parts,
    whose numbers stay relative to this part's base.
    """
    base, here = known[:, BASE], known[:, TOP] + known[:, BASE]
    top, bad = max_over(torch.stack((here, known[:, BAD])), axes)
    some = torch.isfinite(here)
    gap = torch.where(some, here - top, 0.0)
    most = torch.finfo(known.dtype).max
    moved = torch.where(gap == 0, 0.0, gap * (1.0 / tau).clamp(max=most)).clamp(min=-most)
    moved = torch.where(torch.isinf(tau), 0.0, moved)
    share, at_one = (torch.where(some, one.exp(), 0.0) for one in (moved, gap))
    weighted = torch.where(share > 0, share * (known[:, WEIGHTED] + moved * known[:, TOTAL]), 0.0)
    parts = torch.stack((share * known[:, TOTAL], at_one * known[:, TOTAL_AT_ONE], weighted, known[:, COUNT]))
    total, total_at_one, weighted, count = sum_over(parts, axes)
    states = {
        BASE: base, BEST: best - base, TOP: top - base, TOTAL: total, TOTAL_AT_ONE: total_at_one,
        WEIGHTED: weighted, COUNT: count, BAD: bad,
    }  # fmt: skip
    return parts[:2], torch.stack([states[place] for place in range(len(states))], 1)


def mix(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: float | Tensor,
    state: Tensor,
    estimator: str,
    hard: bool,
    centred: bool,
    start: Tensor,
    axes: Axes,
) -> tuple[Tensor, Tensor]:
    """As ``kernels.vocabulary.mixture_op.mix``, of the parts of all ranks of ``axes`` together.

    ``start`` is the number of this rank's first class.
    """
    row_tau, fixed = (tau, 1.0) if isinstance(tau, Tensor) else (None, tau)
    rest = mask, row_tau, fixed, state, estimator, hard, centred, start, axes
    return _Mix.apply(hidden, weight, embedding, bias, *rest)  # type: ignore[no-any-return, no-untyped-call]
