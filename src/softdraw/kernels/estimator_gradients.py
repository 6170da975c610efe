"""Gradients of straight-through estimators that go through a softmax of the logits, in plain PyTorch.

The reference backend evaluates them, and so does every backward that is differentiated again, batched by
``vmap`` or compiled: they are differentiable in the logits and in the upstream gradient.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype, masked_softmax
from softdraw.kernels.hashing import fold

__all__ = ["draws_sharing_a_key", "numbered_noise", "race_weights", "rao_backward", "reinmax_backward"]

#: conditional draws are made in blocks of about this many numbers, so that K never multiplies the memory
_BLOCK = 1 << 18


def reinmax_backward(
    grad: Tensor, logits: Tensor, mask: Tensor | None, index: Tensor, tau: float | Tensor
) -> Tensor:
    """ReinMax's gradient ``[samples, *logits.shape]`` for the winners ``index`` ``[samples, *rows]``.

    2 J(q) g - J(p) g / 2 with p = softmax(logits) and q = (softmax(logits / tau) + z) / 2, z the one-hot of
    the winner. ``tau`` is >= 0.
    """
    values = _usable(logits, mask, index)
    p = values.softmax(-1)
    tempered = None
    if isinstance(tau, Tensor):
        tempered = masked_softmax(values, values != -torch.inf, tau.unsqueeze(-1))
    elif not 0.0 < tau < math.inf:
        tempered = masked_softmax(values, values != -torch.inf, tau)
    elif tau != 1.0:
        tempered = ((values - values.detach().amax(-1, keepdim=True)) / tau).softmax(-1)
    winner = index.clamp_min(0).unsqueeze(-1)
    result = _reinmax_gradient(grad.to(p.dtype), winner, p, tempered)
    return result.masked_fill((index < 0).unsqueeze(-1), 0.0).to(grad.dtype)


def _reinmax_gradient(g: Tensor, winner: Tensor, p: Tensor, tempered: Tensor | None) -> Tensor:
    g = g - g.gather(-1, winner)  # J ignores a constant in g, and with this one g_z = 0
    if tempered is None:
        # tau = 1: half of p g, less its sum at z (ZGR)
        grad = (p * g).mul_(0.5)
        return grad.scatter_add_(-1, winner, -grad.sum(-1, keepdim=True))
    middle = 0.5 * (tempered * g).sum(-1, keepdim=True)  # q . g
    grad = tempered * (g - middle)
    grad = grad.sub_(p * (g - (p * g).sum(-1, keepdim=True)), alpha=0.5)
    return grad.scatter_add_(-1, winner, -middle)


def rao_backward(
    noise: Callable[[int, int], Tensor],
    grad: Tensor,
    logits: Tensor,
    mask: Tensor | None,
    index: Tensor,
    tau: float | Tensor,
    draws: int,
    group: int,
    reinmax: bool,
) -> Tensor:
    """Gumbel-Rao's gradient ``[samples, *logits.shape]`` for the winners ``index`` ``[samples, *rows]``.

    That is the mean of J(y) g / tau over ``draws`` soft samples y given the winner; with ``reinmax`` it is
    ReinMax-Rao's, which draws them at (p + z) / 2 and takes twice the mean less J(p) g / 2. ``tau`` is
    positive. ``group`` draws share a key: ``noise(number, count)`` is the Gumbel noise ``[count, rows, C]``
    of ``count`` samples of that key. Memory does not grow with ``draws``, unless the result is to be
    differentiated.
    """
    classes = logits.shape[-1]
    rows = math.prod(logits.shape[:-1])
    samples = math.prod(index.shape[: index.dim() + 1 - logits.dim()])
    log_p = _usable(logits, mask, index).log_softmax(-1).expand(grad.shape).reshape(-1, classes)
    flat_index, g = index.reshape(-1), grad.reshape(-1, classes).to(log_p.dtype)
    # of the winner's own probability the weights know nothing, so (p + z) / 2 is p / 2 here
    log_q = log_p - math.log(2.0) if reinmax else log_p
    rate: float | Tensor = tau
    if isinstance(tau, Tensor):
        rate = tau.expand(index.shape).reshape(-1, 1)
    mean, second = torch.zeros_like(log_p), torch.zeros_like(log_p)
    together = max(1, _BLOCK // max(1, group * log_p.numel()))
    groups = -(-draws // group)
    for start in range(0, groups, together):
        numbers = range(start, min(start + together, groups))
        counts = [min(group, draws - n * group) for n in numbers]
        parts = [noise(n, count * samples) for n, count in zip(numbers, counts, strict=True)]
        drawn = parts[0] if len(parts) == 1 else torch.cat(parts)
        drawn = drawn.reshape(sum(counts), samples * rows, classes)
        weight = race_weights(log_q, flat_index, drawn, rate).movedim(0, 1)
        mean, second = _add_draws(weight, g, mean, second)
    result = (mean * g - second) / (rate * draws)
    if reinmax:
        p = log_p.exp()
        pg = p * g
        result = 2.0 * result - 0.5 * (pg - p * pg.sum(-1, keepdim=True))
    return result.masked_fill((flat_index < 0).unsqueeze(-1), 0.0).reshape(grad.shape).to(grad.dtype)


def numbered_noise(
    noise: Callable[..., Tensor], logits: Tensor, seed: int, offset: int
) -> Callable[[int, int], Tensor]:
    """What ``rao_backward`` asks for, from a backend's ``noise``: sub-stream ``number`` of the seed."""
    *lead, classes = logits.shape
    rows, dtype = math.prod(lead), compute_dtype(logits.dtype)
    return lambda number, count: noise(
        "gumbel", count, rows, classes, fold(seed, number), offset, dtype, logits.device
    )


def draws_sharing_a_key(classes: int) -> int:
    """How many conditional draws come from one key: it depends on the classes alone, so that a batch cut into
    chunks sees the noise that the whole batch would.
    """
    return max(1, min(8, 8192 // classes))


def race_weights(log_p: Tensor, index: Tensor, noise: Tensor, tau: float | Tensor) -> Tensor:
    """Unnormalised soft samples at ``tau``, given that class ``index`` won the Gumbel-Max race.

    With normalised probabilities p and Gumbel noise G, E = exp(-G), the winner's noisy logit is -log E_z and
    every other one -log(E_j / p_j + E_z), so the softmax of noisy logits / tau is proportional to
    (1 + E_j / (p_j E_z))^(-1 / tau), and to 1 at the winner. In logarithms nothing overflows, neither here
    nor in a derivative.

    Args:
        log_p: ``[rows, C]``, normalised, ``-inf`` where a class is not allowed.
        index: ``[rows]``, the class that won; -1 counts as class 0.
        noise: ``[..., rows, C]`` Gumbel noise.
        tau: temperature, > 0, a float or a tensor ``[rows, 1]``.

    Returns:
        ``[..., rows, C]``, in [0, 1].
    """
    winner = index.clamp_min(0).unsqueeze(-1).expand(*noise.shape[:-1], 1)
    # not in place: under vmap the noise may be common to examples whose p is not
    ratio = F.softplus((noise.gather(-1, winner) - noise) - log_p, threshold=40.0)
    weight = torch.exp(ratio / -tau) if isinstance(tau, Tensor) else ratio.mul_(-1.0 / tau).exp_()
    return weight.scatter(-1, winner, 1.0)


def _add_draws(weight: Tensor, g: Tensor, mean: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
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


def _usable(logits: Tensor, mask: Tensor | None, index: Tensor) -> Tensor:
    """Logits in the dtype that is computed in, ``-inf`` where a class is not allowed, 0 in rows without a
    winner: those have no class, NaN or ``+inf``, and 0 keeps NaN out of second derivatives.
    """
    values = logits.to(compute_dtype(logits.dtype))
    if mask is not None:
        values = values.masked_fill(~mask, -torch.inf)
    lost = index < 0
    while lost.dim() >= logits.dim():
        lost = lost.any(0)
    return values.masked_fill(lost.unsqueeze(-1), 0.0)
