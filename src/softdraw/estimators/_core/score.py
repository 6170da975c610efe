"""The score-function gradient: costs times the gradient of log p(z)."""

import torch
from torch import Tensor

from softdraw.estimators._core.attach import attach_surrogate
from softdraw.estimators._core.base import Estimator
from softdraw.estimators._core.categorical import probabilities
from softdraw.estimators._core.laws import Law, law_log_prob

__all__ = ["law_score", "leave_one_out", "score_gradient"]


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


def law_score(caller: Estimator, cost: Tensor, weight: Tensor, z: Tensor, law: Law) -> Tensor:
    """Mean costs ``[*batch]``, whose backward also gives the parameters of a distribution the mean over S of
    weight_s d log p(z_s), by the graph of its own ``log_prob``.
    """
    if not torch.is_grad_enabled():
        return cost.mean(0)
    log_p = law_log_prob(caller, law, z, cost.shape)
    return attach_surrogate(cost.mean(0), (weight.detach().to(log_p.dtype) * log_p).mean(0))


def leave_one_out(cost: Tensor) -> Tensor:
    """For each of S samples the mean cost of the others, ``[S, *batch]``."""
    others = cost.shape[0] - 1
    return (cost.sum(0) - cost) / others
