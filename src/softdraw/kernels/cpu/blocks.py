"""The draws over rows that are blocks of unequal sizes, one after the other, without a padded copy.

Block b of row r is row ``r * len(sizes) + b`` of the key, of ``tau`` and of the indices. Tensors are
contiguous ``[*batch, sum(sizes)]``; a mask may repeat one row.
"""

import torch
from torch import Tensor

import softdraw.kernels.cpu._native as _native
from softdraw.kernels.cpu.tensors import DTYPES, dense

__all__ = ["hard", "hard_backward", "index", "soft", "soft_backward"]

#: as in ``enum operation`` of ``src/job.h``
_INDEX, _SOFT, _HARD, _SOFT_BACKWARD, _HARD_BACKWARD = range(1, 6)


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
    # what the saved values are to be, in a backward
    like = values if grad is None else grad
    classes = like.shape[-1]
    mask, stride = (None, 0) if mask is None else dense(mask, classes)
    _native.run(
        operation, DTYPES[like.dtype], samples, like.numel() // classes, classes,
        torch.get_num_threads(),
        out=out, index=index, grad=grad, values=values, mask=mask, mask_stride=stride, tau=tau, seed=seed,
        offset=offset, sizes=sizes,
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
    out = torch.empty_like(grad)
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
    out = torch.empty_like(grad)
    _run(_HARD_BACKWARD, sizes, logits, out=out, grad=grad, mask=mask, tau=tau, seed=seed, offset=offset)
    return out
