"""Draws outside the fast path: differentiable PyTorch around the noise."""

import torch
from torch import Tensor

from softdraw.kernels.formulas import Scores, one_hot, relaxed, scores

__all__ = ["perturbed", "relax"]


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
