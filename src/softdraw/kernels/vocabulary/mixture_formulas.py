"""What a tile of logits becomes, in plain PyTorch: weights on the way forward, gradients on the way back.

A tile is ``[rows, classes]`` in the dtype that is computed in, and is worked on in place. x is the logit and
its bias less the row's base, for noisy weights with the Gumbel noise of its class and row; ``top`` is the
largest x so far.
"""

import sys
from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.dispatch import backend_for, backend_of
from softdraw.kernels.hashing import signed

__all__ = [
    "BAD",
    "BASE",
    "BEST",
    "COUNT",
    "STATES",
    "TOP",
    "TOTAL",
    "TOTAL_AT_ONE",
    "WEIGHTED",
    "backward_tile",
    "forward_tile",
    "loops_of",
    "new_state",
]

#: what is known of a row, as ``enum mixture_state`` in ``cpu/src/vocabulary/mixture.h`` has it: its base, the
#: winner's perturbed logit, the top, the sum of exp((x - top) / tau) and of exp(x - top), the sum of the
#: former times (x - top) / tau, the number of allowed classes, and 1 for a row with NaN or +inf
BASE, BEST, TOP, TOTAL, TOTAL_AT_ONE, WEIGHTED, COUNT, BAD, STATES = range(9)
#: the base is the largest allowed logit of about this many first classes: noise is not rounded to the steps
#: of large numbers when a constant is added to a row
_BASE_CLASSES = 256


def loops_of(tensor: Tensor) -> Any:
    """What works on tiles on the device of ``tensor``: a backend's loops, or this module."""
    return getattr(backend_of(tensor), "mixture", sys.modules[__name__])


def new_state(rows: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """The state of rows of which no tile was seen, ``[rows, STATES]``."""
    state = torch.zeros(rows, STATES, dtype=dtype, device=device)
    state[:, (BEST, TOP)] = -torch.inf
    return state


def _logits(values: Tensor, bias: Tensor | None, mask: Tensor | None, base: Tensor | float) -> Tensor:
    """Logit and bias less the base; what is finite stays so, ``-inf`` where a class is not allowed."""
    x = values if bias is None else values + bias
    if mask is not None:
        x = x.masked_fill(~mask, -torch.inf)
    most = torch.finfo(x.dtype).max
    return torch.where(torch.isfinite(x), (x - base).clamp(-most, most), x)


def _noise(values: Tensor, key: tuple[int, int], class_start: int) -> Tensor:
    seed, offset = key
    rows, classes = values.shape
    draw = backend_for(values.device.type).noise
    rest = signed(seed), signed(offset), values.dtype, values.device, class_start
    return draw("gumbel", 1, rows, classes, *rest)[0]


def _rate(tau: Tensor, dtype: torch.dtype) -> Tensor:
    """1 / tau ``[rows, 1]``: finite, and 0 where tau is infinite, so that only what is allowed matters."""
    return (1.0 / tau).clamp(max=torch.finfo(dtype).max).to(dtype).unsqueeze(1)


def _fallen(x: Tensor, top: Tensor, rate: Tensor | float) -> Tensor:
    """(x - top) * rate, ``-inf`` where a class is not allowed."""
    below = (x - top).clamp(min=-torch.finfo(x.dtype).max)
    return torch.where(x > -torch.inf, below * rate, -torch.inf)


def forward_tile(
    values: Tensor,
    second: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    index: Tensor,
    factor: Tensor,
    key: tuple[int, int],
    class_start: int,
    *,
    first: bool,
    noisy: bool,
    quiet: bool,
    entropy: bool,
) -> None:
    """Turn logits into weights exp((x - top) / tau), and bring what is known of their rows up to date.

    Args:
        values: the logits ``[rows, classes]``, which become the weights.
        second: where the weights exp(x - top) go, if they are wanted.
        bias: ``[classes]``.
        mask: bool ``[rows, classes]`` or ``[1, classes]``.
        tau: ``[rows]``.
        state: ``[rows, STATES]``.
        index: int64 ``[rows]``, the winner so far.
        factor: ``[rows, 2]``, filled with what sums over earlier tiles, of weights and of those of
            ``second``, are to be multiplied by.
        key: seed and offset of the first row.
        class_start: the number of the first class.
        first: whether no tile came before.
        noisy: whether x has the noise in it; the winner is that of the noisy logits all the same.
        quiet: whether there is no noise at all.
        entropy: whether ``WEIGHTED`` is wanted.
    """
    del entropy  # it costs nothing here
    dtype, lowest, most = values.dtype, -torch.inf, torch.finfo(values.dtype).max
    if first:
        top = _logits(values[:, :_BASE_CLASSES], _of(bias), _of(mask), 0.0).amax(1)
        state[:, BASE] = torch.where(torch.isfinite(top), top, 0.0).to(state.dtype)
    x = _logits(values, bias, mask, state[:, BASE].to(dtype).unsqueeze(1))
    z = x if quiet else x + _noise(values, key, class_start)
    kept = z if noisy else x
    state[:, BAD] = torch.where((torch.isnan(x) | (x == torch.inf)).any(1), 1.0, state[:, BAD])
    best, place = torch.where(torch.isnan(z), lowest, z).max(1)
    better = best > state[:, BEST]
    index.copy_(torch.where(better, place + class_start, index))
    state[:, BEST] = torch.where(better, best.to(state.dtype), state[:, BEST])
    state[:, COUNT] += (x > lowest).sum(1)
    highest = kept.amax(1).to(state.dtype)
    nothing = (state[:, BAD] != 0) | (highest == lowest)
    before = state[:, TOP].clone()
    top = torch.where(nothing, before, torch.maximum(before, highest))
    fall = torch.where(before == top, 0.0, before - top).to(dtype).unsqueeze(1).clamp(min=-most)
    rate = _rate(tau, dtype)
    moved = (fall * rate).clamp(min=-most)
    empty = (before == lowest).unsqueeze(1)
    factor.copy_(torch.where(empty, 1.0, torch.cat((moved, fall), 1).exp()))
    worth, moved = factor.to(state.dtype), torch.where(empty, 0.0, moved).to(state.dtype).squeeze(1)
    shifted = worth[:, 0] * (state[:, WEIGHTED] + moved * state[:, TOTAL])
    state[:, WEIGHTED] = torch.where(worth[:, 0] > 0, shifted, 0.0)
    state[:, TOTAL] *= worth[:, 0]
    state[:, TOTAL_AT_ONE] *= worth[:, 1]
    state[:, TOP] = top
    usable = torch.where(nothing.unsqueeze(1), lowest, kept)
    column = torch.where(top == lowest, 0.0, top).to(dtype).unsqueeze(1)
    if second is not None:
        second.copy_(_fallen(usable, column, 1.0).exp())
        state[:, TOTAL_AT_ONE] += second.sum(1, dtype=state.dtype)
    scaled = _fallen(usable, column, rate)
    values.copy_(scaled.exp())
    state[:, TOTAL] += values.sum(1, dtype=state.dtype)
    state[:, WEIGHTED] += torch.where(values > 0, values * scaled, 0.0).sum(1, dtype=state.dtype)


def backward_tile(
    values: Tensor,
    grad: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    index: Tensor,
    means: Tensor,
    tau_grad: Tensor | None,
    key: tuple[int, int],
    class_start: int,
    *,
    noisy: bool,
    reinmax: bool,
    second: bool,
    weights: bool,
) -> None:
    """Turn logits into their gradient.

    Args:
        values: the logits ``[rows, classes]``, which become the gradient.
        grad: g, the upstream gradient of each class's probability; it becomes the probabilities.
        bias: as in ``forward_tile``.
        mask: as in ``forward_tile``.
        tau: ``[rows]``.
        state: what ``forward_tile`` left after the last tile.
        index: the winners; -1 in rows whose gradient is 0.
        means: ``[rows, 3]``: the means of g under the softmax at tau and at 1, and the winner's g.
        tau_grad: ``[rows]``, to which the gradient of tau is added.
        key: as in ``forward_tile``.
        class_start: as in ``forward_tile``.
        noisy: as in ``forward_tile``.
        reinmax: whether the gradient is ReinMax's, instead of the softmax's.
        second: whether that has a softmax at temperature 1 beside the one at tau.
        weights: whether ``grad`` is to hold the probabilities afterwards.
    """
    dtype, rate = values.dtype, _rate(tau, values.dtype)
    lost = (index < 0).unsqueeze(1)
    x = _logits(values, bias, mask, state[:, BASE].to(dtype).unsqueeze(1))
    x = torch.where(lost, -torch.inf, x + _noise(values, key, class_start) if noisy else x)
    top = torch.where(lost, 0.0, state[:, TOP].to(dtype).unsqueeze(1))
    share = torch.where(lost, 0.0, 1.0 / state[:, TOTAL].unsqueeze(1)).to(dtype)
    p = _fallen(x, top, rate).exp() * share
    won = torch.arange(class_start, class_start + values.shape[1], device=values.device) == index.unsqueeze(1)
    mean, mean_at_one, own = means.to(dtype).unsqueeze(2).unbind(1)
    if reinmax:
        other = p
        if second:
            other = _fallen(x, top, 1.0).exp() * torch.where(
                lost, 0.0, 1.0 / state[:, TOTAL_AT_ONE].unsqueeze(1)
            ).to(dtype)
        relative, middle = grad - own, 0.5 * (mean - own)
        values.copy_(p * (relative - middle) - 0.5 * other * (relative - (mean_at_one - own)) - won * middle)
    else:
        # Halved, because the difference of two gradients may overflow where the result does not.
        twice = (
            (2.0 / tau).clamp(max=torch.finfo(dtype).max).masked_fill(tau == 0, 0.0).to(dtype).unsqueeze(1)
        )
        values.copy_(p * (0.5 * grad - 0.5 * mean) * twice)
        if tau_grad is not None:
            below = (x - top).clamp(min=-torch.finfo(dtype).max)
            slope = (values * below).sum(1, dtype=tau_grad.dtype) / tau
            tau_grad -= torch.where((tau == 0) | torch.isinf(tau), 0.0, slope)
    values.masked_fill_(lost, 0.0)
    if weights:
        # at tau = 0 the winner's one-hot, also where two are best
        cold = (tau == 0).unsqueeze(1) if noisy else torch.zeros_like(lost)
        grad.copy_(torch.where(cold, won.to(dtype), p))


def _of(tensor: Tensor | None) -> Tensor | None:
    return None if tensor is None else tensor[..., :_BASE_CLASSES]
