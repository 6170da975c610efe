"""How every function reads its arguments: one rule for tau, mask, dim and the source of noise."""

import operator

import torch
from torch import Tensor

from softdraw.kernels.formulas import compute_dtype
from softdraw.kernels.layout import MAX_CLASSES

__all__ = [
    "check_logits",
    "class_dim",
    "is_usual",
    "read_mask",
    "read_tau",
]


def check_logits(logits: Tensor, classes_needed: bool = True) -> None:
    """Refuse what is no floating tensor."""
    if not isinstance(logits, Tensor):
        raise TypeError(f"logits must be a torch.Tensor, got {type(logits).__name__}")
    if not logits.is_floating_point():
        raise ValueError(f"logits must be floating, got {logits.dtype} of shape {tuple(logits.shape)}")
    if classes_needed and logits.dim() == 0:
        raise ValueError("logits must have a dim of classes, got a tensor of shape ()")


def is_usual(logits: Tensor) -> bool:
    """Whether a tensor passes ``check_logits`` and ``class_dim`` at dim -1: at a glance, for small layers."""
    return logits.is_floating_point() and logits.dim() > 0 and 0 < logits.shape[-1] < MAX_CLASSES


def class_dim(logits: Tensor, dim: int) -> int:
    """``dim`` counted from the front; refuses a dim that is not there or has no classes."""
    dims = logits.dim()
    dim = operator.index(dim)
    if not -dims <= dim < dims:
        raise ValueError(f"dim={dim}: expected a number from {-dims} to {dims - 1} for {tuple(logits.shape)}")
    if logits.shape[dim] == 0:
        raise ValueError(
            f"logits of shape {tuple(logits.shape)} have no classes in dim={dim}: expected 1 or more"
        )
    if logits.shape[dim] > MAX_CLASSES:
        raise ValueError(f"logits: got {logits.shape[dim]} classes, expected at most 2^33")
    return dim % dims


def read_mask(mask: Tensor | None, shape: torch.Size) -> Tensor | None:
    """``mask`` expanded to the logits' shape."""
    if mask is None:
        return None
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        got = mask.dtype if isinstance(mask, Tensor) else type(mask).__name__
        raise ValueError(f"mask must be a boolean tensor, True where a class is allowed, got {got}")
    try:
        return mask.expand(shape)
    except RuntimeError:
        raise ValueError(
            f"mask of shape {tuple(mask.shape)} must broadcast to logits of shape {tuple(shape)}"
        ) from None


def read_tau(tau: float | Tensor, logits: Tensor, dim: int, eager: bool) -> float | Tensor:
    """The temperature as a float, a 0-dim tensor, or one value a row in the shape of the logits without
    ``dim``.

    A tensor comes in the dtype that is computed in. Values are checked for floats and, in eager mode, for
    tensors on the CPU; elsewhere reading them would wait for the device or break the graph.
    """
    if not isinstance(tau, Tensor):
        value = float(tau)
        if not value >= 0.0:
            raise ValueError(f"tau={value}: expected a temperature >= 0")
        return value
    if not tau.is_floating_point():
        raise ValueError(f"tau must be a float or a floating tensor, got {tau.dtype}")
    rows = logits.shape[:dim] + logits.shape[dim + 1 :]
    if tau.dim() == logits.dim() and tau.shape[dim] == 1:
        row_tau = tau.squeeze(dim)
    elif tau.dim() < logits.dim():
        row_tau = tau
    else:
        row_tau = None
    fits = row_tau is not None and all(
        a in (1, b) for a, b in zip(reversed(row_tau.shape), reversed(rows), strict=False)
    )
    if row_tau is None or not fits:
        raise ValueError(
            f"tau of shape {tuple(tau.shape)} does not fit logits of shape {tuple(logits.shape)} with "
            f"classes in dim {dim}: expected a number, a tensor that broadcasts to the batch shape "
            f"{tuple(rows)}, or one with {logits.dim()} dims and size 1 at dim {dim}"
        )
    if eager and tau.device.type == "cpu" and not bool((tau.detach() >= 0).all()):
        raise ValueError(
            f"tau holds {float(tau.detach().min())}: expected temperatures >= 0, none of them NaN"
        )
    if row_tau.dim() == 0:
        if eager and tau.device.type == "cpu" and not tau.requires_grad:
            return float(row_tau)
        return row_tau.to(logits.device, compute_dtype(logits.dtype))
    return row_tau.to(logits.device, compute_dtype(logits.dtype)).expand(rows)
