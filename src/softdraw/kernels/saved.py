"""Tensors that an autograd function saves, checked when they come back.

Hooks (``torch.autograd.graph.saved_tensors_hooks``: offloading, compression) may give back other strides,
which is no harm, or another dtype, whose memory a kernel would read as something else.
"""

from typing import Any

import torch
from torch import Tensor

__all__ = ["check_alike", "check_drawn", "check_saved", "keep", "kept", "saved"]


def keep(ctx: Any, *values: Any) -> None:
    """Save ``values`` for the backward, tensors by ``save_for_backward``."""
    ctx.others = tuple(None if isinstance(value, Tensor) else value for value in values)
    ctx.looks = tuple(
        (value.dtype, value.shape, value.device) if isinstance(value, Tensor) else None for value in values
    )
    ctx.save_for_backward(*(value if isinstance(value, Tensor) else None for value in values))


def kept(ctx: Any) -> tuple[Any, ...]:
    """What ``keep`` was given.

    Raises:
        TypeError: a hook gave back a tensor of another dtype.
        ValueError: of another shape or on another device.
    """
    values = []
    for tensor, other, look in zip(saved(ctx), ctx.others, ctx.looks, strict=True):
        if look is not None:
            check_saved(tensor, *look)
        values.append(other if look is None else tensor)
    return tuple(values)


def saved(ctx: Any) -> tuple[Any, ...]:
    """``ctx.saved_tensors`` of a draw whose backward reads its logits again.

    Raises:
        RuntimeError: the logits, or the mask, were changed in place since.
    """
    try:
        tensors: tuple[Any, ...] = ctx.saved_tensors
    except RuntimeError as error:
        if "modified by an inplace operation" not in str(error):
            raise
        raise RuntimeError(
            "logits: got a tensor that was changed in place after a hard draw, whose backward makes the "
            "noise again and reads the logits (or the mask) for it; expected them unchanged until the "
            "backward, so draw from a copy: logits.clone()"
        ) from error
    return tensors


def check_alike(tensor: Tensor, grad: Tensor) -> None:
    """Refuse a saved tensor that is not what was saved, for one that was like the gradient ``grad``."""
    if tensor.dtype is not grad.dtype or tensor.shape != grad.shape or tensor.device != grad.device:
        check_saved(tensor, grad.dtype, grad.shape, grad.device)


def check_drawn(logits: Tensor, index: Tensor, mask: Tensor | None, grad: Tensor) -> None:
    """The same for what a hard draw saves; ``grad`` may have a dim of samples in front, as ``index`` has."""
    shape = grad.shape
    check_saved(index, torch.int64, shape[:-1], grad.device)
    rows = shape if logits.dim() == len(shape) else shape[1:]
    check_saved(logits, grad.dtype, rows, grad.device)
    if mask is not None:
        check_saved(mask, torch.bool, rows, grad.device)


def check_saved(tensor: Tensor, dtype: torch.dtype, shape: torch.Size, device: torch.device) -> None:
    """Refuse a saved tensor that is not what was saved."""
    if tensor.dtype != dtype:
        raise TypeError(
            f"saved tensor: got {_name(tensor.dtype)} from a saved-tensor hook, expected {_name(dtype)}: the "
            "unpacking hook must give back the dtype that the packing one was given"
        )
    if tensor.shape != shape:
        raise ValueError(
            f"saved tensor: got shape {tuple(tensor.shape)} from a saved-tensor hook, expected {tuple(shape)}"
        )
    if tensor.device != device:
        raise ValueError(f"saved tensor: got one on {tensor.device} from a hook, expected one on {device}")


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
