"""Gradients of straight-through estimators that go through a softmax of the logits, in plain PyTorch.

The reference backend evaluates them, and so do the estimators under ``torch.func`` and in compiled graphs.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype
from softdraw.kernels.hashing import fold

__all__ = [
    "add_draws",
    "draws_sharing_a_key",
    "race_weights",
    "rao_backward",
    "rao_gradient",
    "reinmax_backward",
    "reinmax_gradient",
]


def reinmax_gradient(g: Tensor, place: Tensor, p: Tensor, tempered: Tensor | None = None) -> Tensor:
    """2 J(q) g - J(p) g / 2 with q = (tempered + z) / 2, z the one-hot at ``place`` ``[*rows, 1]``."""
    g = g - g.gather(-1, place)  # J ignores a constant in g, and with this one g_z = 0
    if tempered is None:
        # tau = 1: half of p g, less its sum at z (ZGR)
        grad = (p * g).mul_(0.5)
        return grad.scatter_add_(-1, place, -grad.sum(-1, keepdim=True))
    middle = 0.5 * (tempered * g).sum(-1, keepdim=True)  # q . g
    grad = tempered * (g - middle)
    grad = grad.sub_(p * (g - (p * g).sum(-1, keepdim=True)), alpha=0.5)
    return grad.scatter_add_(-1, place, -middle)


def draws_sharing_a_key(classes: int) -> int:
    """How many conditional draws come from one key: it depends on the classes alone, so that a batch cut into
    chunks sees the noise that the whole batch would.
    """
    return max(1, min(8, 8192 // classes))


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


def add_draws(weight: Tensor, g: Tensor, mean: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """Add soft samples, given by weights ``[rows, K, C]``, to the sums over draws of y and of y (y . g).

    The sum over draws of J(y) g is the first times g less the second; y itself is never formed.
    """
    if weight.shape[1] == 1:
        one = weight.squeeze(1)
        scale = 1.0 / one.sum(-1, keepdim=True)
        product = (one * g).sum(-1, keepdim=True)
        return mean.addcmul(one, scale), second.addcmul(one, scale * scale * product)
    total, product = (weight @ torch.stack([torch.ones_like(g), g], -1)).unbind(-1)
    scale = 1.0 / total
    sums = weight.mT @ torch.stack([scale, scale * scale * product], -1)
    return mean + sums[..., 0], second + sums[..., 1]


def rao_gradient(
    g: Tensor,
    mean: Tensor,
    second: Tensor,
    index: Tensor,
    tau: float | Tensor,
    draws: int,
    p: Tensor | None,
) -> Tensor:
    """The average Jacobian times g from the sums of ``add_draws``; with ``p`` twice that less J(p) g / 2."""
    grad = ((mean * g - second) / (tau * draws)).masked_fill((index < 0).unsqueeze(-1), 0.0)
    if p is None:
        return grad
    pg = p * g
    return 2.0 * grad - 0.5 * (pg - p * pg.sum(-1, keepdim=True))


def reinmax_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, index: Tensor, tau: float | Tensor
) -> Tensor:
    """ReinMax's gradient ``[samples, *logits.shape]`` for the winners ``index`` ``[samples, *rows]``.

    ``tau`` is positive. Linear in ``grad``, through which it can be differentiated.
    """
    p = _probabilities(logits, mask)
    plain = isinstance(tau, float) and tau == 1.0
    column = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
    tempered = None if plain else _probabilities(logits, mask, column)
    g = grad.to(p.dtype)
    result = reinmax_gradient(g, index.clamp_min(0).unsqueeze(-1), p, tempered)
    return result.masked_fill((index < 0).unsqueeze(-1), 0.0).to(grad.dtype)


def rao_backward(
    noise: Callable[..., Tensor],
    grad: Tensor,
    logits: Tensor,
    mask: Tensor | None,
    index: Tensor,
    tau: float | Tensor,
    seed: int,
    offset: int,
    draws: int,
    group: int,
    reinmax: bool,
) -> Tensor:
    """Gumbel-Rao's gradient ``[samples, *logits.shape]`` for the winners ``index``.

    That is the mean of J(y) grad / tau over ``draws`` of the noise given the winner; with ``reinmax`` it is
    ReinMax-Rao's. ``noise`` is a backend's, and ``tau`` is positive. ``group`` draws share a key: draw k is
    from sub-stream ``k // group`` of the seed and is its sample ``k % group``. Memory does not grow with
    ``draws``.
    """
    classes = logits.shape[-1]
    samples = grad.numel() // max(1, logits.numel())
    p = _probabilities(logits, mask).expand(grad.shape).reshape(-1, classes)
    flat_index, g = index.reshape(-1), grad.reshape(-1, classes).to(p.dtype)
    q = p
    if reinmax:
        q = 0.5 * p.scatter_add(-1, flat_index.clamp_min(0).unsqueeze(-1), torch.ones_like(p[:, :1]))
    rate: float | Tensor = tau
    if isinstance(tau, Tensor):
        rate = tau.expand(index.shape).reshape(-1, 1)
    mean, second = torch.zeros_like(p), torch.zeros_like(p)
    rows = logits.numel() // classes
    for first in range(0, draws, group):
        count = min(group, draws - first)
        sub = fold(seed, first // group)
        noises = noise("exponential", count * samples, rows, classes, sub, offset, p.dtype, p.device)
        weight = race_weights(q, flat_index, noises.view(count, samples * rows, classes), rate).movedim(0, 1)
        mean, second = add_draws(weight, g, mean, second)
    found = rao_gradient(g, mean, second, flat_index, rate, draws, p if reinmax else None)
    return found.masked_fill((flat_index < 0).unsqueeze(-1), 0.0).reshape(grad.shape).to(grad.dtype)


def _probabilities(logits: Tensor, mask: Tensor | None, tau: float | Tensor = 1.0) -> Tensor:
    values = logits.detach().to(compute_dtype(logits.dtype))
    if mask is not None:
        values = values.masked_fill(~mask, -torch.inf)
    top = values.amax(-1, keepdim=True)
    return ((values - torch.where(torch.isfinite(top), top, 0.0)) / tau).softmax(-1)
