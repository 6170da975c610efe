"""The score-function gradient: costs times z - p."""

from torch import Tensor

from softdraw.estimators._core.categorical import probabilities

__all__ = ["leave_one_out", "score_gradient"]


def score_gradient(weight: Tensor, z: Tensor, logits: Tensor, allowed: Tensor) -> Tensor:
    """Mean over S of weight_s (z_s - p): the gradient of log p(z) with respect to logits is z - p.

    Args:
        weight: ``[S, *batch]``, the learning signal of each sample, no gradient.
        z: ``[S, *batch, D, C]`` one-hot samples.
        logits: ``[*batch, D, C]``.
        allowed: ``[*batch, D, C]``.

    Returns:
        ``[*batch, D, C]``.
    """
    p = probabilities(logits.detach(), allowed)
    score = (z.to(p.dtype) - p).masked_fill(~allowed, 0.0)
    return (weight.detach().to(p.dtype)[..., None, None] * score).mean(0)


def leave_one_out(cost: Tensor) -> Tensor:
    """For each of S samples the mean cost of the others, ``[S, *batch]``."""
    others = cost.shape[0] - 1
    return (cost.sum(0) - cost) / others
