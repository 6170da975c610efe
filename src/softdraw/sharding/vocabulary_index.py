"""The draw of an index from a vocabulary whose head is split over ranks by its classes."""

from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.saved import keep, kept
from softdraw.kernels.vocabulary.index_shard_op import draw_shard, shard_gradient
from softdraw.sharding.collectives import Axes, max_over, sum_over
from softdraw.sharding.winner import winner_over

__all__ = ["draw"]


class _Draw(torch.autograd.Function):
    """Indices, log probabilities and entropies, the same on all ranks, as are their gradients.

    The gradients of weight and bias are this rank's; those of hidden states and temperatures are sums.
    """

    @staticmethod
    def forward(
        ctx: Any,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        mask: Tensor | None,
        tau: Tensor,
        state: Tensor,
        start: Tensor,
        samples: int,
        axes: Axes,
    ) -> tuple[Tensor, Tensor, Tensor]:
        found, top, chosen, sums, here = _winners(
            hidden, weight, bias, mask, tau, state, start, samples, True, axes
        )
        known = torch.isfinite(top)
        # sums of distances to the largest logit here, as distances to the largest of all
        rise = torch.where(torch.isfinite(here) & known, here - top, -torch.inf).to(sums.dtype)
        share = torch.exp(rise)
        total, weighted = sums.unbind(-1)
        weighted = share * (weighted + torch.where(share > 0, rise, 0.0) * total)
        totals = sum_over(torch.stack((share * total, weighted), -1), axes)
        total, weighted = totals.unbind(-1)
        safe = torch.where(total == 0, 1.0, total)
        poison = torch.where(torch.isnan(top), torch.nan, 0.0).to(safe.dtype)
        log_total, mean = ((one + poison).to(top.dtype) for one in (safe.log(), weighted / safe))
        keep(ctx, found, top, log_total, mean, hidden, weight, bias, mask, tau, start)
        ctx.axes = axes
        ctx.mark_non_differentiable(found)
        empty = top == -torch.inf
        log_prob = torch.where(empty, 0.0, chosen - top - log_total)
        return found, log_prob, torch.where(empty, 0.0, log_total - mean)

    @staticmethod
    def backward(ctx: Any, _: Any, log_prob_grad: Tensor, entropy_grad: Tensor) -> tuple[Tensor | None, ...]:
        *known, start = kept(ctx)
        needs = [bool(ctx.needs_input_grad[place]) for place in (0, 1, 2, 4)]
        of_hidden, of_weight, of_bias, of_tau = shard_gradient(
            log_prob_grad, entropy_grad, *known, start, needs
        )
        return (
            sum_over(of_hidden, ctx.axes) if needs[0] else None,
            of_weight if needs[1] else None,
            of_bias if needs[2] else None,
            None,
            sum_over(of_tau, ctx.axes) if needs[3] else None,
            *(None,) * 4,
        )


def _winners(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Winners, the largest logits of all ranks, the winners' logits, and the sums and largest logits here."""
    *given, axes = inputs
    found, best, chosen, here, sums = draw_shard(*given)
    # a reduction need not carry NaN, and +inf is one in a row
    top = max_over(torch.where(torch.isnan(here), torch.inf, here), axes)
    usable = torch.isfinite(top) & torch.isfinite(here)
    value = best + torch.where(usable, here - top, 0.0)
    bad = (top == torch.inf).expand(best.shape)
    won = winner_over(value, found, found < 0, bad, axes)
    mine = (won.classes == found) & (found >= 0)
    chosen = max_over(torch.where(mine, chosen, -torch.inf), axes) if sums.numel() else chosen
    top = torch.where(top == torch.inf, torch.nan, top)
    return won.classes, top, torch.where(won.classes < 0, 0.0, chosen), sums, here


def draw(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    start: Tensor,
    samples: int,
    measured: bool,
    axes: Axes,
) -> tuple[Tensor, Tensor, Tensor]:
    """As ``kernels.vocabulary.index_op.draw``, of the heads of all ranks of ``axes`` together.

    ``start`` is the number of this rank's first class.
    """
    if measured:
        inputs = hidden, weight, bias, mask, tau, state, start, samples, axes
        return _Draw.apply(*inputs)  # type: ignore[no-any-return, no-untyped-call]
    found, top, *_ = _winners(hidden, weight, bias, mask, tau, state, start, samples, False, axes)
    return found, top, top
