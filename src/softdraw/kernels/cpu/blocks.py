"""The draws over rows that are blocks of unequal sizes, one after the other, without a padded copy.

Block b of row r is row ``r * len(sizes) + b`` of the key, of ``tau`` and of the indices. Tensors are
contiguous ``[*batch, sum(sizes)]``; a mask may repeat one row.
"""

import torch
from torch import Tensor

import softdraw.kernels.cpu._native as _native

__all__ = ["hard", "hard_backward", "index", "soft", "soft_backward"]

#: as in ``enum operation`` and ``enum dtype`` of ``src/job.h``
_INDEX, _SOFT, _HARD, _SOFT_BACKWARD, _HARD_BACKWARD = range(1, 6)
_DTYPES = {torch.float32: 0, torch.float64: 1, torch.bfloat16: 2, torch.float16: 3}


def _run(
    operation: int,
    sizes: tuple[int, ...],
    values: Tensor,
    *,
    out: Tensor | None = None,
    index: Tensor | None = None,
    grad: Tensor | None = None,
    mask: Tensor | None = None,
    tau: float | Tensor = 1.0,
    seed: int = 0,
    offset: int = 0,
    samples: int = 1,
) -> None:
    classes = values.shape[-1]
    if sum(sizes) != classes or min(sizes) < 1:
        raise ValueError(f"blocks of sizes {sizes} are not the {classes} classes of a row")
    stride = 0
    if mask is not None and (mask.stride(-1) != 1 or any(mask.stride()[:-1])):
        mask, stride = mask.contiguous(), classes
    tau = tau.contiguous() if isinstance(tau, Tensor) else float(tau)
    written, found, above, read, allowed = (
        0 if tensor is None else tensor.data_ptr() for tensor in (out, index, grad, values, mask)
    )
    number, temperatures = (1.0, tau.data_ptr()) if isinstance(tau, Tensor) else (tau, 0)
    _native.run_blocks(
        operation, 0, _DTYPES[values.dtype], written, found, above, read, allowed, stride, samples,
        values.numel() // classes, classes, number, temperatures, seed, offset, torch.get_num_threads(), 1, 1,
        sizes,
    )  # fmt: skip


def index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, sizes: tuple[int, ...]
) -> Tensor:
    """Gumbel-Max indices within each block, int64 ``[samples, *batch, blocks]``; -1 where there is none."""
    logits = logits.contiguous()
    out = torch.empty((samples, *logits.shape[:-1], len(sizes)), dtype=torch.int64, device=logits.device)
    _run(_INDEX, sizes, logits, index=out, mask=mask, seed=seed, offset=offset, samples=samples)
    return out


def soft(
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    seed: int,
    offset: int,
    sizes: tuple[int, ...],
) -> Tensor:
    """Gumbel-Softmax samples in the logits' dtype; ``tau`` is a float or ``[*batch, blocks]``."""
    logits = logits.contiguous()
    out = torch.empty_like(logits)
    _run(_SOFT, sizes, logits, out=out, mask=mask, tau=tau, seed=seed, offset=offset)
    return out


def hard(logits: Tensor, mask: Tensor | None, seed: int, offset: int, sizes: tuple[int, ...]) -> Tensor:
    """One-hot samples in the logits' dtype."""
    logits = logits.contiguous()
    out = torch.empty_like(logits)
    _run(_HARD, sizes, logits, out=out, mask=mask, seed=seed, offset=offset)
    return out


def soft_backward(grad: Tensor, y: Tensor, tau: float | Tensor, sizes: tuple[int, ...]) -> Tensor:
    """Gradient of the logits for the upstream gradient ``grad`` of the soft sample ``y``."""
    y, grad = y.contiguous(), grad.contiguous()
    out = torch.empty_like(y)
    _run(_SOFT_BACKWARD, sizes, y, out=out, grad=grad, tau=tau)
    return out


def hard_backward(
    grad: Tensor,
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    seed: int,
    offset: int,
    sizes: tuple[int, ...],
) -> Tensor:
    """Gradient of the soft sample at the same key, whose noise is made again."""
    logits, grad = logits.contiguous(), grad.contiguous()
    out = torch.empty_like(logits)
    _run(_HARD_BACKWARD, sizes, logits, out=out, grad=grad, mask=mask, tau=tau, seed=seed, offset=offset)
    return out
