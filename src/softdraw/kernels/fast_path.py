"""Whether a call may take the fast path: a plain tensor, in eager mode, under no transform."""

import torch
from torch import Tensor
from torch.autograd import forward_ad

__all__ = ["is_plain"]

_transformed = torch._C._functorch.peek_interpreter_stack
_modes = torch._C._len_torch_dispatch_stack


def is_plain(tensor: Tensor) -> bool:
    """True where a kernel may read the tensor's memory and no graph is being built from the call."""
    if torch.compiler.is_compiling():
        return False
    return (
        (type(tensor) is Tensor or type(tensor) is torch.nn.Parameter)
        and not tensor.is_meta
        and _transformed() is None
        and _modes() == 0
        and forward_ad._current_level < 0
        and not torch._C._is_tracing()
    )
