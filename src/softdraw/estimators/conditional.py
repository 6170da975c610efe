"""Soft samples given which class won, and their averaged Jacobian, K draws without K tensors."""

from collections.abc import Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import softdraw.random
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


def _conditional_noise(log_q: Tensor, key: Key, draws: int, lead: int) -> Iterator[Tensor]:
    """K draws of Gumbel noise in blocks ``[k, *log_q.shape]``.

    A group of draws has a key of its own, and its size depends on C alone, so that a batch cut into chunks
    sees the noise that the whole batch would; how many groups make a block depends on the memory they take.
    """
    group = max(1, min(8, 8192 // log_q.shape[-1]))
    groups = -(-draws // group)
    together = max(1, _BLOCK // max(1, group * log_q.numel()))
    for start in range(0, groups, together):
        parts = [
            softdraw.random.gumbel(
                tuple(log_q.shape[lead:]),
                sample_shape=(min(group, draws - number * group), *log_q.shape[:lead]),
                key=key.fold_in(number),
                dtype=log_q.dtype,
                device=log_q.device,
            )
            for number in range(start, min(start + together, groups))
        ]
        yield parts[0] if len(parts) == 1 else torch.cat(parts)


class _AveragedJacobian(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        hard: Tensor,
        log_q: Tensor,
        index: Tensor,
        tau: float | Tensor,
        key: Key,
        draws: int,
        p: Tensor | None,
        lead: int,
    ) -> Tensor:
        return hard.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, _, log_q, index, tau, key, draws, p, ctx.lead = inputs
        ctx.tau_is_tensor = isinstance(tau, Tensor)
        ctx.save_for_backward(log_q, index, p, tau if ctx.tau_is_tensor else None)
        ctx.plain = None if ctx.tau_is_tensor else tau
        ctx.key, ctx.draws, ctx.dtype = key, draws, logits.dtype

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        log_q, index, p, tau = ctx.saved_tensors
        tau = tau if ctx.tau_is_tensor else ctx.plain
        g = upstream.to(log_q.dtype)
        grad = torch.zeros_like(log_q)
        for noise in _conditional_noise(log_q, ctx.key, ctx.draws, ctx.lead):
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
    key: Key,
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
        key: where the conditional noise comes from; it is drawn in the backward.
        draws: K. Memory does not grow with it beyond a block of fixed size.
        p: with probabilities here the gradient is twice the mean less J(p) g / 2, as ReinMax-Rao has it.
        lead: how many leading dims count samples, not rows of the batch.
    """
    return _AveragedJacobian.apply(logits, hard, log_q, index, tau, key, draws, p, lead)  # type: ignore[no-any-return, no-untyped-call]
