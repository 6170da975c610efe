"""What a mixture of experts measures of its routing: how even it is, and how much an expert can take."""

import math

import torch
from torch import Tensor

from softdraw.kernels.formulas import Scores, one_hot

__all__ = ["balance", "inclusion", "spread", "within_capacity"]

#: exp(exp(x)) is 1 or infinite beyond, in every dtype
_FAR = 80.0


def spread(amounts: Tensor) -> Tensor:
    """The squared coefficient of variation of what the experts ``[experts]`` get, 0 where all get as much."""
    mean = amounts.mean()
    return ((amounts - mean) / torch.where(mean == 0, 1.0, mean)).square().mean()


def balance(probs: Tensor, hot: Tensor) -> Tensor:
    """N · Σ_i (share of the assignments)_i (mean probability)_i for n experts: 1 where either is even.

    Args:
        probs: ``[tokens, experts]``, zeros in rows of padding; gradients reach them.
        hot: ``[tokens, experts]``, ones at the chosen experts.
    """
    assignments = hot.sum(0)
    share = assignments / assignments.sum().clamp(min=1.0)
    tokens = probs.detach().sum().clamp(min=math.ulp(1.0))
    return probs.shape[-1] * (share * probs.sum(0) / tokens).sum()


def inclusion(clean: Tensor, noisy: Scores, k: int, tau: float | Tensor) -> Tensor:
    """The probability that an expert is among the k, were its own noise alone drawn anew.

    An expert of score s is chosen where s + tau G passes t, the k-th best noisy score of the others: with
    probability 1 - exp(-exp((s - t) / tau)). Its mean over all noise is how often the expert is chosen.

    Args:
        clean: s, ``[*, experts]``; gradients reach it.
        noisy: s + tau G, with gradients through both.
        k: how many are chosen.
        tau: a number, or a tensor that broadcasts against the scores; at 0 the chosen have probability 1.

    Returns:
        ``[*, experts]``, 0 where not allowed, NaN in bad rows.
    """
    experts = clean.shape[-1]
    index = noisy.best(min(k + 1, experts))
    there = index >= 0
    best = noisy.z.gather(-1, index.clamp(min=0))
    chosen = one_hot(index[..., :k], experts, clean.dtype).sum(-2) > 0
    # without the expert itself, the k-th best of the others is one place further down
    inside = best[..., k:] if k < experts else best[..., :1]
    room = ~there[..., k:] if k < experts else torch.ones_like(there[..., :1])
    limit = torch.where(chosen, inside, best[..., k - 1 : k])
    free = torch.where(chosen, room, ~there[..., k - 1 : k])
    least = torch.finfo(clean.dtype).tiny
    rate = tau.clamp(min=least) if isinstance(tau, Tensor) else max(tau, least)
    gap = clean - limit
    bound = _FAR * (rate.detach() if isinstance(rate, Tensor) else rate)
    bound = torch.as_tensor(bound, dtype=clean.dtype, device=clean.device).clamp(max=1e30)
    gap = torch.minimum(torch.maximum(gap, -bound), bound)
    passes = -torch.expm1(-torch.exp(gap / rate))
    cold = tau == 0
    frozen = chosen.to(clean.dtype)
    if isinstance(cold, Tensor):
        passes = torch.where(cold, frozen, passes)
    elif cold:
        passes = frozen
    passes = torch.where(noisy.allowed, torch.where(free, 1.0, passes), 0.0)
    return torch.where(noisy.bad, torch.nan, passes)


def within_capacity(indices: Tensor, experts: int, factor: float | None) -> Tensor:
    """Which assignments the experts have room for, bool in the shape of the indices ``[tokens, k]``.

    Every expert takes ``ceil(factor · tokens · k / experts)``: all first choices come before all second
    ones, and earlier tokens before later ones. An index of -1 asks for nothing, and is no assignment.
    """
    asked = indices >= 0
    if factor is None:
        return asked
    tokens, k = indices.shape
    room = math.ceil(factor * tokens * k / experts)
    hot = one_hot(indices.mT.reshape(-1), experts, torch.int64)
    place = (hot.cumsum(0) * hot).sum(-1).reshape(k, tokens).mT
    return asked & (place <= room)
