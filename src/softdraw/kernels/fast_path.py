"""Whether a call may take the fast path: a plain tensor, in eager mode, under no transform."""

import torch
from torch import Tensor

from softdraw._torch import (
    dispatch_modes,
    forward_mode_level,
    innermost_transform,
    is_batch_of_gradients,
    is_tracing,
)

__all__ = ["is_plain", "is_plain_gradient", "kernel_serves"]


def is_plain(tensor: Tensor) -> bool:
    """True where a kernel may read the tensor's memory and no graph is being built from the call."""
    if torch.compiler.is_compiling():
        return False
    return (
        (type(tensor) is Tensor or type(tensor) is torch.nn.Parameter)
        and not tensor.is_meta
        and innermost_transform() is None
        and dispatch_modes() == 0
        and forward_mode_level() < 0
        and not is_tracing()
    )


def is_plain_gradient(grad: Tensor) -> bool:
    """The same for what a backward is given, which ``is_grads_batched=True`` makes many gradients in one."""
    return is_plain(grad) and not is_batch_of_gradients(grad)


def kernel_serves(grad: Tensor) -> bool:
    """Whether a backward may read memory: under no transform, and not to be differentiated itself.

    As ``is_plain_gradient``, in one function: of a small layer's backward each call is a hundredth.
    """
    return (
        type(grad) is Tensor
        and not torch.is_grad_enabled()
        and innermost_transform() is None
        and dispatch_modes() == 0
        and forward_mode_level() < 0
        and not is_batch_of_gradients(grad)
        and not is_tracing()
        and not grad.is_meta
    )
