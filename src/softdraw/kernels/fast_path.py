"""Whether a call may take the fast path: a plain tensor, in eager mode, under no transform."""

import torch
from torch import Tensor
from torch.compiler import is_dynamo_compiling

from softdraw._torch import (
    dispatch_modes,
    forward_mode_level,
    innermost_transform,
    is_batch_of_gradients,
    is_tracing,
)
from softdraw.kernels.backend import Backend
from softdraw.kernels.dispatch import loops

__all__ = ["REFUSED", "is_distributed", "is_plain", "is_plain_gradient", "kernel_serves", "loops_for"]

#: what the loops raise where they refuse a tensor
REFUSED = (TypeError, ValueError, RuntimeError)


def is_plain(tensor: Tensor) -> bool:
    """True where a kernel may read the tensor's memory and no graph is being built from the call."""
    # torch.export without its compiler is compiling too, and shows itself by its fake tensors or their mode
    if is_dynamo_compiling():
        return False
    return (
        (type(tensor) is Tensor or type(tensor) is torch.nn.Parameter)
        and not tensor.is_meta
        and innermost_transform() is None
        and dispatch_modes() == 0
        and forward_mode_level() < 0
        and not is_tracing()
    )


def is_distributed(tensor: Tensor) -> bool:
    """Whether the tensor is a DTensor, told by its name, because importing the class takes half a second."""
    return type(tensor).__name__ == "DTensor"


def is_plain_gradient(grad: Tensor) -> bool:
    """The same for what a backward is given, which ``is_grads_batched=True`` makes many gradients in one."""
    return is_plain(grad) and not is_batch_of_gradients(grad)


def kernel_serves(grad: Tensor) -> bool:
    """Whether a backward may read memory: under no transform, and not to be differentiated itself."""
    return not torch.is_grad_enabled() and is_plain_gradient(grad)


def loops_for(grad: Tensor) -> Backend | None:
    """The loops in C where they may be asked first for a backward; else None.

    They refuse what is not as it was saved, and a batch of gradients has no memory that they could be given,
    so that a backward asks nothing of the tensors itself: of a small layer each question is a hundredth.
    """
    if (
        type(grad) is Tensor
        and grad.is_cpu
        and not torch.is_grad_enabled()
        and innermost_transform() is None
        and dispatch_modes() == 0
        and forward_mode_level() < 0
        and not is_tracing()
    ):
        return loops()
    return None
