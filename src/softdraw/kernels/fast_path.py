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

__all__ = ["is_plain"]


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
        and not is_batch_of_gradients(tensor)
    )
