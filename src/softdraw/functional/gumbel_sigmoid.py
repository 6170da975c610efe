"""``gumbel_sigmoid``: relaxed or straight-through samples of binary variables."""

import torch
from torch import Tensor

from softdraw.arguments import check_floating, read_mask, read_noise, read_tau
from softdraw.kernels.fast_path import is_distributed, is_plain
from softdraw.kernels.formulas import compute_dtype
from softdraw.random import Key, source
from softdraw.recording import recordable

__all__ = ["gumbel_sigmoid"]


@recordable
def gumbel_sigmoid(
    logits: Tensor,
    tau: float | Tensor = 1.0,
    hard: bool = False,
    *,
    mask: Tensor | None = None,
    key: Key | None = None,
    generator: torch.Generator | None = None,
    noise: Tensor | None = None,
) -> Tensor:
    """sigmoid((logits + Logistic noise) / tau): the binary Concrete distribution, element by element.

    Args:
        logits: log-odds of being 1, of any shape and floating dtype. The last dim counts as classes and the
            others as rows, for the noise and for ``tau``. A DTensor draws what one process with all of it
            would.
        tau: the temperature, >= 0, as in :func:`softdraw.gumbel_softmax` with ``dim=-1``: one value, or one
            a row. 0 gives zeros and ones without gradient, ``inf`` gives 1/2.
        hard: exact zeros and ones in the forward pass, the gradient of the soft sample in the backward pass.
        mask: boolean, broadcastable to the logits; False gives exactly 0 and gradient 0.
        key: the name of the noise.
        generator: a source of a fresh key. Without any source, torch's default generator is one.
        noise: the caller's own Logistic(0, 1) noise, broadcastable to the logits; gradients reach it.

    Returns:
        Samples in the shape and dtype of ``logits``: 0 for a logit of ``-inf``, 1 for ``+inf``, NaN for NaN.

    Raises:
        TypeError: ``logits`` or ``noise`` is no dense tensor of float16, bfloat16, float32 or float64,
            ``mask`` none of bool, ``tau`` no number and no such tensor, or ``key`` or ``generator`` of
            another type.
        ValueError: ``tau`` is negative or NaN or does not fit, ``mask`` or ``noise`` does not broadcast or
            is on another device, or more than one of key, generator and noise is given.

    Example:
        >>> import softdraw as sd, torch
        >>> logits = torch.zeros(100_000)
        >>> z = sd.gumbel_sigmoid(logits, hard=True, key=sd.Key(0))
        >>> z.unique().tolist(), bool((z.mean() - 0.5).abs() < 0.01)
        ([0.0, 1.0], True)

    Reference:
        Maddison, Mnih, Teh, "The Concrete distribution", ICLR 2017, appendix B (binary case).
    """
    check_floating("logits", logits)
    if key is not None or generator is not None or noise is not None:
        source.one_source(key, generator, noise)
    eager = is_plain(logits)
    if not eager and is_distributed(logits):
        from softdraw.sharding import draws

        return draws.binary(gumbel_sigmoid, logits, tau, hard, mask, key, generator, noise)
    shape = logits.shape
    x = logits.reshape(1) if logits.dim() == 0 else logits
    tau = read_tau(tau, x, eager=eager)
    if mask is not None:
        mask = read_mask(mask, logits)
        mask = mask if mask is None else mask.reshape(x.shape)
    if noise is None:
        noise = source.noise("logistic", x, 1, key, generator, eager)[0]
    else:
        noise = read_noise(noise, shape, logits).reshape(x.shape)
    y = _relaxed(x, mask, noise, tau, hard)
    return y.to(logits.dtype).reshape(shape).contiguous()


def _relaxed(x: Tensor, mask: Tensor | None, noise: Tensor, tau: float | Tensor, hard: bool) -> Tensor:
    dtype = compute_dtype(x.dtype)
    wide = x.to(dtype)
    certain = torch.isinf(wide) if mask is None else torch.isinf(wide) | ~mask
    z = torch.where(certain, 0.0, wide) + noise.to(dtype)
    # NaN stays in the value and moves with no logit: its gradient is 0.
    missing = torch.isnan(z)
    z = torch.where(missing, 0.0, z)
    least = 1e-30
    if isinstance(tau, Tensor):
        column = tau.unsqueeze(-1) if tau.dim() else tau
        floor = column.clamp(min=least)
    else:
        column = torch.full((), tau, dtype=dtype, device=x.device)
        floor = column.clamp(min=least)
    # Beyond this the sigmoid is flat in floating point; the bound keeps tau's gradient finite.
    steep = (800.0 if dtype == torch.float64 else 110.0) * floor.detach()
    limit = steep.clamp(max=torch.finfo(dtype).max)
    inside = torch.minimum(torch.maximum(z, -limit), limit)
    soft = torch.sigmoid(torch.where(torch.isfinite(floor), inside / floor, 0.0))
    step = (z > 0).to(dtype)
    soft = torch.where(column == 0, step, soft)
    if hard:
        soft = step + (soft - soft.detach())
    soft = torch.where(missing, torch.nan, soft)
    end = (wide == torch.inf).to(dtype)
    if mask is not None:
        end = torch.where(mask, end, 0.0)
    return torch.where(certain, end, soft)
