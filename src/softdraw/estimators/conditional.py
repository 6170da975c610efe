"""Soft samples given which class won, and their averaged Jacobian, K draws without K tensors."""

import math
from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from softdraw.functional.perturbed import noise_like
from softdraw.kernels import key_state, ops
from softdraw.kernels.eager import is_plain
from softdraw.random import Key

__all__ = ["averaged_jacobian", "noisy_gaps"]

#: conditional draws are made in blocks of about this many numbers, so that K never multiplies the memory
_BLOCK = 1 << 18


def noisy_gaps(log_p: Tensor, index: Tensor, noise: Tensor) -> Tensor:
    """Noisy logits less the winner's, given that class ``index`` won the Gumbel-Max race.

    With normalised log-probabilities the winner's noisy logit is -log E_z and every other one
    -log(E_j / p_j + E_z), E exponential. Their difference -log(1 + E_j / (p_j E_z)) is
    -softplus(G_z - G_j - log p_j) for Gumbel noise G = -log E: it cannot overflow, whatever the logits.

    Args:
        log_p: ``[*rows, C]``, normalised, ``-inf`` where a class is not allowed.
        index: ``[*rows]``, the class that won; -1 counts as class 0.
        noise: ``[..., *rows, C]`` Gumbel noise.

    Returns:
        ``[..., *rows, C]``: 0 at the winner, below 0 elsewhere.
    """
    winner = index.clamp_min(0).unsqueeze(-1).expand(*noise.shape[:-1], 1)
    won = noise.gather(-1, winner)
    return (-F.softplus(won - noise - log_p, threshold=80.0)).scatter(-1, winner, 0.0)


def _conditional_noise(log_q: Tensor, key: Key | Tensor, draws: int, lead: int) -> Iterator[Tensor]:
    """K draws of Gumbel noise in blocks ``[k, *log_q.shape]``.

    A group of draws has a key of its own, and its size depends on C alone, so that a batch cut into chunks
    sees the noise that the whole batch would; how many groups make a block depends on the memory they take.
    """
    group = max(1, min(8, 8192 // log_q.shape[-1]))
    groups = -(-draws // group)
    together = max(1, _BLOCK // max(1, group * log_q.numel()))
    for start in range(0, groups, together):
        numbers = range(start, min(start + together, groups))
        parts = [_group_noise(log_q, key, n, min(group, draws - n * group), lead) for n in numbers]
        yield parts[0] if len(parts) == 1 else torch.cat(parts)


def _group_noise(log_q: Tensor, key: Key | Tensor, number: int, count: int, lead: int) -> Tensor:
    shape = log_q.shape
    samples = count * math.prod(shape[:lead])
    rows = log_q.reshape(math.prod(shape[:lead]), *shape[lead:])[0]
    if isinstance(key, Key):
        drawn: Tensor = noise_like("gumbel", rows, samples, key.fold_in(number), None, is_plain(log_q))
    else:
        state = key_state.fold_in(key, number)
        classes = shape[-1]
        size = math.prod(rows.shape[:-1])
        drawn = ops.noise(state, "gumbel", samples, size, classes, log_q.dtype, log_q.device)
    return drawn.reshape(count, *shape)


class _AveragedJacobian(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        hard: Tensor,
        log_q: Tensor,
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
        logits, _, log_q, index, tau, key, draws, p, ctx.lead = inputs
        ctx.tau_is_tensor = isinstance(tau, Tensor)
        ctx.key = key if isinstance(key, Key) else None
        state = None if isinstance(key, Key) else key
        ctx.save_for_backward(log_q, index, p, tau if ctx.tau_is_tensor else None, state)
        ctx.plain = None if ctx.tau_is_tensor else tau
        ctx.draws, ctx.dtype = draws, logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        log_q, index, p, tau, state = ctx.saved_tensors
        key = state if ctx.key is None else ctx.key
        tau = tau if ctx.tau_is_tensor else ctx.plain
        g = upstream.to(log_q.dtype)
        grad = torch.zeros_like(log_q)
        for noise in _conditional_noise(log_q, key, ctx.draws, ctx.lead):
            y = (noisy_gaps(log_q, index, noise) / tau).softmax(-1)
            yg = y * g
            grad = grad + (yg - y * yg.sum(-1, keepdim=True)).sum(0)
        grad = grad / (tau * ctx.draws)
        if p is not None:
            pg = p * g
            grad = 2.0 * grad - 0.5 * (pg - p * pg.sum(-1, keepdim=True))
        return grad.to(ctx.dtype), *(None,) * 8


def averaged_jacobian(
    logits: Tensor,
    hard: Tensor,
    log_q: Tensor,
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
        log_q: ``[*rows, C]``, the normalised log-probabilities that the noise is added to.
        index: ``[*rows]``, the class that won.
        tau: temperature, > 0.
        key: where the conditional noise comes from, a key or its state; it is drawn in the backward.
        draws: K. Memory does not grow with it beyond a block of fixed size.
        p: with probabilities here the gradient is twice the mean less J(p) g / 2, as ReinMax-Rao has it.
        lead: how many leading dims count samples, not rows of the batch.
    """
    return _AveragedJacobian.apply(logits, hard, log_q, index, tau, key, draws, p, lead)  # type: ignore[no-any-return, no-untyped-call]
