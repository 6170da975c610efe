"""The logits of k-subsets whose marginals are given."""

import torch
from torch import Tensor

from softdraw.arguments import check_classes, wrong_value
from softdraw.kernels.formulas import compute_dtype, wide
from softdraw.kernels.structures import subsets

__all__ = ["logits_with_inclusion"]

#: steps of Newton's method at the most, of conjugate gradients for each, and of halving for each
_STEPS, _INNER, _HALVINGS = 60, 60, 30
#: where the marginals are near enough
_TOLERANCE = 1e-12
#: how far above the others the logit of an item is that is always taken
_CERTAIN = 100.0


def logits_with_inclusion(probs: Tensor) -> tuple[Tensor, int]:
    """Logits ``[*batch, n]``, whose finite ones have mean 0 in a row, and k.

    They maximise ``probs . x - log e_k(exp x)``, which is concave, and whose gradient is ``probs`` less the
    marginals: Newton's method with the covariance applied by conjugate gradients, in O(n k) a step.

    Raises:
        TypeError: ``probs`` is no floating tensor.
        ValueError: no items, values outside of [0, 1], or sums that are not one whole number.
    """
    check_classes("probs", probs, "[*batch, n]")
    target = probs.detach().to(wide(probs.device))
    if not bool(((target >= 0) & (target <= 1)).all()):
        raise wrong_value("probs", probs, "values from 0 to 1")
    sums = target.sum(-1)
    k = int(sums.mean().round()) if sums.numel() else 0
    slack = 1e-4 if compute_dtype(probs.dtype) == probs.dtype else 2e-2
    if bool(((sums - k).abs() > slack * max(1, k)).any()):
        found = sums.flatten()[:3].tolist()
        raise ValueError(f"probs: got rows with sums such as {found}, expected one whole number for all rows")
    never, always = target == 0, target == 1
    inner = ~(never | always)
    # Rounding of the sum is spread over what is uncertain.
    room = (target * (1 - target)).sum(-1, keepdim=True)
    excess = (sums.unsqueeze(-1) - k) / torch.where(room > 0, room, 1.0)
    target = torch.where(inner, (target - excess * target * (1 - target)).clamp(1e-300, 1 - 1e-16), target)
    x = _solved(target, never, always, inner, k)
    return x.to(probs.dtype), k


def _solved(target: Tensor, never: Tensor, always: Tensor, inner: Tensor, k: int) -> Tensor:
    x = torch.where(inner, torch.logit(torch.where(inner, target, 0.5)), 0.0)
    x = _pinned(x, never, always, inner)
    value, means = subsets.marginals(x, k)
    loss = value - _dot(target, x, inner | always)
    for _ in range(_STEPS):
        gap = torch.where(inner, target - means, 0.0)
        if bool((gap.abs() <= _TOLERANCE).all()):
            break
        step = _newton_step(x, k, gap, means, inner)
        size = torch.ones_like(loss)
        for _ in range(_HALVINGS):
            tried = _pinned(x + size.unsqueeze(-1) * step, never, always, inner)
            value, means = subsets.marginals(tried, k)
            after = value - _dot(target, tried, inner | always)
            worse = after > loss + 1e-10 * loss.abs().clamp(min=1.0)
            if not bool(worse.any()):
                break
            size = torch.where(worse, 0.5 * size, size)
        x, loss = tried, after
    return x


def _newton_step(x: Tensor, k: int, gap: Tensor, means: Tensor, inner: Tensor) -> Tensor:
    """The solution of covariance . step = gap, by conjugate gradients with the variances beforehand."""
    scale = torch.where(inner, (means * (1 - means)).clamp(min=1e-300), 1.0)
    step, left = torch.zeros_like(gap), gap
    near = torch.where(inner, left / scale, 0.0)
    way, power = near, (left * near).sum(-1, keepdim=True)
    goal = 1e-20 * power
    for _ in range(_INNER):
        going = power > goal
        if not bool(going.any()):
            break
        bent = torch.where(inner, subsets.covariance_product(x, k, way), 0.0)
        curve = (way * bent).sum(-1, keepdim=True)
        length = torch.where(going & (curve > 0), power / torch.where(curve > 0, curve, 1.0), 0.0)
        step, left = step + length * way, left - length * bent
        near = torch.where(inner, left / scale, 0.0)
        fresh = (left * near).sum(-1, keepdim=True)
        way = near + fresh / torch.where(power > 0, power, 1.0) * way
        power = torch.where(going, fresh, 0.0)
    return step


def _pinned(x: Tensor, never: Tensor, always: Tensor, inner: Tensor) -> Tensor:
    """Mean 0 where x is free, far above where an item is certain, -inf where it is never taken."""
    count = inner.sum(-1, keepdim=True).clamp(min=1)
    x = x - torch.where(inner, x, 0.0).sum(-1, keepdim=True) / count
    top = torch.where(inner, x, 0.0).amax(-1, keepdim=True)
    return torch.where(never, -torch.inf, torch.where(always, top + _CERTAIN, x))


def _dot(target: Tensor, x: Tensor, some: Tensor) -> Tensor:
    return torch.where(some, target * x, 0.0).sum(-1)
