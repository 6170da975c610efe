"""Draws outside the fast path: noise from one operation, and differentiable PyTorch around it."""

import math

import torch
from torch import Tensor

from softdraw.functional.arguments import key_numbers, key_state
from softdraw.kernels import autograd, ops
from softdraw.kernels.formulas import Scores, compute_dtype, one_hot, relaxed, scores
from softdraw.random import Key

__all__ = ["noise_like", "perturbed", "relax"]


def noise_like(
    law: str, logits: Tensor, samples: int, key: Key | None, generator: torch.Generator | None, plain: bool
) -> Tensor:
    """Noise ``[samples, *logits.shape]``, classes last; under ``torch.func``, in the shape of one example."""
    shape = logits.shape
    classes = shape[-1]
    rows = math.prod(shape[:-1])
    dtype = compute_dtype(logits.dtype)
    if plain:
        seed, offset = key_numbers(key, generator, logits)
        drawn = autograd.noise(law, samples, rows, classes, seed, offset, dtype, logits.device)
    else:
        state = key_state(key, generator, logits)
        drawn = ops.noise(state, law, samples, rows, classes, dtype, logits.device)
    return drawn.reshape(samples, *shape)


def perturbed(logits: Tensor, mask: Tensor | None, noise: Tensor) -> Scores:
    """Scores of ``logits`` whose classes are last."""
    return scores(logits, mask, noise)


def relax(drawn: Scores, tau: float | Tensor, hard: bool, dtype: torch.dtype) -> Tensor:
    """The soft sample, or the hard one with its gradient; ``tau`` has one value a row."""
    column = tau.unsqueeze(-1) if isinstance(tau, Tensor) and tau.dim() else tau
    y = relaxed(drawn, column)
    if hard:
        # In the wide dtype, where y - y is exactly 0 and the sum therefore exactly 0 or 1.
        y = one_hot(drawn, drawn.winner()) + (y - y.detach())
    return y.to(dtype)
