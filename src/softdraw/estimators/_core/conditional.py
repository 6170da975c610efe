"""Soft samples given which class won, and their averaged Jacobian, K draws without K tensors."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.estimator_gradients import add_draws, draws_sharing_a_key, race_weights, rao_gradient
from softdraw.kernels.fast_path import is_plain
from softdraw.random import Key, source

__all__ = ["averaged_jacobian", "race_weights"]

#: conditional draws are made in blocks of about this many numbers, so that K never multiplies the memory
_BLOCK = 1 << 18


def _conditional_noise(q: Tensor, key: Key | Tensor, draws: int, lead: int) -> Iterator[Tensor]:
    """K draws of exponential noise in blocks ``[k, *q.shape]``.

    A group of draws has a key of its own; how many groups make a block depends on the memory they take.
    """
    group = draws_sharing_a_key(q.shape[-1])
    groups = -(-draws // group)
    together = max(1, _BLOCK // max(1, group * q.numel()))
    for start in range(0, groups, together):
        numbers = range(start, min(start + together, groups))
        parts = [_group_noise(q, key, n, min(group, draws - n * group), lead) for n in numbers]
        yield parts[0] if len(parts) == 1 else torch.cat(parts)


def _group_noise(q: Tensor, key: Key | Tensor, number: int, count: int, lead: int) -> Tensor:
    shape = q.shape
    samples = count * math.prod(shape[:lead])
    rows = q.reshape(math.prod(shape[:lead]), *shape[lead:])[0]
    own = source.as_key(key).fold_in(number)
    drawn: Tensor = source.noise("exponential", rows, samples, own, plain=is_plain(q))
    return drawn.reshape(count, *shape)


class _AveragedJacobian(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        hard: Tensor,
        q: Tensor,
        index: Tensor,
        tau: float | Tensor,
        key: Key | Tensor,
        draws: int,
        p: Tensor | None,
        lead: int,
    ) -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, _, q, index, tau, key, draws, p, ctx.lead = inputs
        ctx.tau_is_tensor = isinstance(tau, Tensor)
        ctx.key = key if isinstance(key, Key) else None
        state = None if isinstance(key, Key) else key
        ctx.save_for_backward(q, index, p, tau if ctx.tau_is_tensor else None, state)
        ctx.plain = None if ctx.tau_is_tensor else tau
        ctx.draws, ctx.dtype = draws, logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        q, index, p, tau, state = ctx.saved_tensors
        key = state if ctx.key is None else ctx.key
        tau = tau if ctx.tau_is_tensor else ctx.plain
        g = upstream.to(q.dtype)
        classes = q.shape[-1]
        flat_q, flat_index, flat_g = q.reshape(-1, classes), index.reshape(-1), g.reshape(-1, classes)
        if isinstance(tau, Tensor) and tau.dim():
            tau = tau.expand(*q.shape[:-1], 1).reshape(-1, 1)
        mean, second = torch.zeros_like(flat_q), torch.zeros_like(flat_q)
        for noise in _conditional_noise(q, key, ctx.draws, ctx.lead):
            weight = race_weights(
                flat_q, flat_index, noise.reshape(noise.shape[0], *flat_q.shape), tau
            ).movedim(0, 1)
            mean, second = add_draws(weight, flat_g, mean, second)
        flat_p = None if p is None else p.reshape(-1, classes)
        grad = rao_gradient(flat_g, mean, second, flat_index, tau, ctx.draws, flat_p).reshape(q.shape)
        return grad.to(ctx.dtype), *(None,) * 8


def averaged_jacobian(
    logits: Tensor,
    hard: Tensor,
    q: Tensor,
    index: Tensor,
    *,
    tau: float | Tensor,
    key: Key | Tensor,
    draws: int,
    p: Tensor | None = None,
    lead: int = 0,
) -> Tensor:
    """``hard``, whose backward is the mean over K conditional soft samples y of J(y) g / tau.

    Args:
        logits: ``[*rows, C]``, where the gradient goes.
        hard: ``[*rows, C]``, the value.
        q: ``[*rows, C]``, the normalised probabilities of the race.
        index: ``[*rows]``, the class that won.
        tau: temperature, > 0.
        key: where the conditional noise comes from, a key or its state; it is drawn in the backward.
        draws: K. Memory does not grow with it beyond a block of fixed size.
        p: with probabilities here the gradient is twice the mean less J(p) g / 2, as ReinMax-Rao has it.
        lead: how many leading dims count samples, not rows of the batch.
    """
    return _AveragedJacobian.apply(logits, hard, q, index, tau, key, draws, p, lead)  # type: ignore[no-any-return, no-untyped-call]
