"""IndeCateR: enumerate one variable at a time, sample the others."""

import torch
from torch import Tensor

from softdraw.estimators._core.attach import attach
from softdraw.estimators._core.base import Cost, Estimator, call_cost
from softdraw.estimators._core.categorical import probabilities
from softdraw.estimators._core.draws import Draws
from softdraw.estimators._core.registry import register

__all__ = ["IndeCateR"]


@register("indecater")
class IndeCateR(Estimator):
    """sum_c d p_d(c) / d logits E[f(z with z_d = c)] for every variable d, the other variables sampled.

    The gradient of variable d is p_d (F_d - p_d . F_d) with F_d(c) the mean cost when variable d is set to c
    in S shared samples. Unbiased without a score function or a baseline; S D C evaluations of f. With one
    variable it is exact.

    Reference:
        De Smet, Sansone, Zuidberg Dos Martires, "Differentiable Sampling of Categorical Distributions Using
        the CatLog-Derivative Trick", NeurIPS 2023, section 3 (IndeCateR).

    Args:
        samples: S, 1 unless given.

    Example:
        >>> import torch, softdraw as sd
        >>> sd.estimators.get("indecater", samples=2).evaluations(variables=3, classes=4)
        24
    """

    family = "exact"
    unbiased = True
    reference = "De Smet, Sansone, Zuidberg Dos Martires (2023), section 3"
    remark = "exact for one variable"

    def evaluations(self, variables: int, classes: int) -> int:
        """S D C."""
        return self.samples * int(variables) * int(classes)

    def _estimate(self, f: Cost, logits: Tensor, mask: Tensor | None, draws: Draws) -> Tensor:
        z, allowed = draws.one_hot(logits, mask)
        p = probabilities(logits.detach(), allowed)
        variables, classes = logits.shape[-2:]
        batch = logits.shape[:-2]
        eye = torch.eye(classes, dtype=z.dtype, device=z.device)
        own = torch.eye(variables, dtype=torch.bool, device=z.device)
        # [S, D, C, *batch, D, C]: variable d of sample s set to class c
        shape = (self.samples, variables, classes, *batch, variables, classes)
        ones = (1,) * len(batch)
        setting = eye.view(1, 1, classes, *ones, 1, classes)
        changed = torch.where(own.view(1, variables, 1, *ones, variables, 1), setting, z[:, None, None])
        changed = changed.expand(shape).masked_fill(~allowed, 0.0)
        cost = call_cost(f, changed.flatten(0, 2), caller=self).reshape(*shape[:3], *batch)
        # put the two dims of the changed variable behind the batch: [*batch, D, C]
        mean = cost.mean(0).movedim((0, 1), (-2, -1))
        # a class that is not allowed has probability 0, but its cost may be anything
        mean = torch.where(allowed, mean, torch.zeros_like(mean))
        weight = p.to(mean.dtype)
        by_variable = (weight * mean).sum(-1)
        gradient = weight * (mean - by_variable.unsqueeze(-1))
        empty = ~allowed.any(-1)
        # a variable without classes leaves the sample as it is: f at the sample is its estimate
        plain = cost[:, :, 0].mean(0).movedim(0, -1)
        value = torch.where(empty, plain, by_variable).mean(-1)
        return attach(value, logits, gradient)
