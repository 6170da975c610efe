"""Soft samples given which class won, and their averaged Jacobian, K draws without K tensors."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from softdraw.functional.perturbed import noise_like
from softdraw.kernels import key_state, ops
from softdraw.kernels.eager import is_plain
from softdraw.random import Key

__all__ = ["averaged_jacobian", "race_weights"]

#: conditional draws are made in blocks of about this many numbers, so that K never multiplies the memory
_BLOCK = 1 << 18


def race_weights(p: Tensor, index: Tensor, noise: Tensor, tau: float | Tensor) -> Tensor:
    """Unnormalised soft samples at ``tau``, given that class ``index`` won the Gumbel-Max race.

    With normalised probabilities p and exponential noise E the winner's noisy logit is -log E_z and every
    other one -log(E_j / p_j + E_z), so the softmax of noisy logits / tau is proportional to
    (1 + E_j / (p_j E_z))^(-1 / tau), and to 1 at the winner. No logarithm, and nothing that overflows: an
    infinite ratio gives the weight 0.

    Args:
        p: ``[rows, C]``, normalised, 0 where a class is not allowed.
        index: ``[rows]``, the class that won; -1 counts as class 0.
        noise: ``[..., rows, C]`` exponential noise.
        tau: temperature, > 0, a float or a tensor ``[rows, 1]``.

    Returns:
        ``[..., rows, C]``, in [0, 1].
    """
    winner = index.clamp_min(0).unsqueeze(-1).expand(*noise.shape[:-1], 1)
    won = noise.gather(-1, winner)
    # the divisions are not in place: under vmap the noise may be common to examples whose p is not
    ratio = (noise / p / won).add_(1.0)
    weight = ratio.pow(-1.0 / tau) if isinstance(tau, Tensor) else ratio.pow_(-1.0 / tau)
    return weight.scatter(-1, winner, 1.0)


def _conditional_noise(q: Tensor, key: Key | Tensor, draws: int, lead: int) -> Iterator[Tensor]:
    """K draws of exponential noise in blocks ``[k, *q.shape]``.

    A group of draws has a key of its own, and its size depends on C alone, so that a batch cut into chunks
    sees the noise that the whole batch would; how many groups make a block depends on the memory they take.
    """
    group = max(1, min(8, 8192 // q.shape[-1]))
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
    if isinstance(key, Key):
        drawn: Tensor = noise_like("exponential", rows, samples, key.fold_in(number), None, is_plain(q))
    else:
        state = key_state.fold_in(key, number)
        classes = shape[-1]
        size = math.prod(rows.shape[:-1])
        drawn = ops.noise(state, "exponential", samples, size, classes, q.dtype, q.device)
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
        ones_and_g = torch.stack([torch.ones_like(flat_g), flat_g], -1)
        mean = torch.zeros_like(flat_q)
        second = torch.zeros_like(flat_q)
        for noise in _conditional_noise(q, key, ctx.draws, ctx.lead):
            weight = race_weights(flat_q, flat_index, noise.reshape(-1, *flat_q.shape), tau).movedim(0, 1)
            # the sum over draws of J(y) g needs y only through products, so y itself is never formed
            if weight.shape[1] == 1:
                one = weight.squeeze(1)
                scale = 1.0 / one.sum(-1, keepdim=True)
                mean = mean.addcmul(one, scale)
                second = second.addcmul(one, scale * scale * (one * flat_g).sum(-1, keepdim=True))
                continue
            total, product = (weight @ ones_and_g).unbind(-1)
            scale = 1.0 / total
            sums = weight.mT @ torch.stack([scale, scale * scale * product], -1)
            mean, second = mean + sums[..., 0], second + sums[..., 1]
        grad = ((mean * flat_g - second) / (tau * ctx.draws)).reshape(q.shape)
        grad = grad.masked_fill((index < 0).unsqueeze(-1), 0.0)
        if p is not None:
            pg = p * g
            grad = 2.0 * grad - 0.5 * (pg - p * pg.sum(-1, keepdim=True))
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
