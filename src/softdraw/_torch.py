"""Every private name of torch that we use, in one place: where to look when a new torch breaks one.

May import: torch. What torch offers publicly is called where it is needed.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.utils import checkpoint

__all__ = [
    "activation_memory_budget",
    "all_reduce",
    "dispatch_modes",
    "forward_mode_level",
    "innermost_transform",
    "is_batch_of_gradients",
    "is_batched",
    "is_checkpointed",
    "is_readable",
    "is_strided",
    "is_tracing",
    "jit_traces",
    "move_averages",
    "multiplies_bfloat16",
    "plain_apply",
    "register_fake",
    "unfilled",
    "untraced",
    "without_subclass",
]

D = TypeVar("D")

#: the innermost transform of ``torch.func`` that runs, or None
innermost_transform = torch._C._functorch.peek_interpreter_stack
#: how many dispatch modes (fake tensors, flop counters) look at each operation
dispatch_modes = torch._C._len_torch_dispatch_stack
#: whether a tensor is a batch of ``is_grads_batched=True`` or ``jacobian(vectorize=True)``, whose vmap is an
#: older one than that of ``torch.func``
is_batch_of_gradients = torch._C._functorch.is_legacy_batchedtensor
#: whether ``torch.jit.trace`` runs; the compiler does not know it
is_tracing = torch._C._is_tracing
#: a context in which subclasses of ``Tensor`` are treated as plain tensors
without_subclass = torch._C.DisableTorchFunctionSubclass
#: ``move_averages(averages, values, weight)``: many ``average.lerp_(value, weight)`` as one operation
move_averages = torch._foreach_lerp_


def jit_traces() -> bool:
    """Whether ``torch.jit.trace`` runs, asked where the compiler may be tracing too."""
    return not torch.compiler.is_compiling() and bool(is_tracing())


def forward_mode_level() -> int:
    """The level of forward-mode differentiation, -1 outside of any."""
    return forward_ad._current_level


def is_batched(value: Tensor) -> bool:
    """Whether ``vmap`` is anywhere among the transforms that wrap ``value``."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(value):
        if functorch.is_batchedtensor(value):
            return True
        value = functorch.get_unwrapped(value)
    return False


def is_readable(*values: Tensor | None) -> bool:
    """Whether values may be looked at, to refuse wrong ones: not under ``torch.compile`` or ``vmap``, nor
    where there are none (meta). On a card that waits, as in torch's distributions, which do it where
    ``validate_args`` says so.
    """
    if torch.compiler.is_compiling():
        return False
    return not any(value is not None and (value.is_meta or is_batched(value)) for value in values)


@contextmanager
def untraced() -> Iterator[None]:
    """A pause of ``torch.jit.trace``: sizes are numbers, and what is decided by them is not recorded."""
    tracing = torch._C._get_tracing_state()
    set_state = getattr(torch._C, "_set_tracing_state")  # noqa: B009 (the stubs do not know it)
    set_state(None)
    try:
        yield
    finally:
        set_state(tracing)


def is_checkpointed() -> bool:
    """Whether ``torch.utils.checkpoint`` runs the caller, the first time or again, for a gradient.

    Nothing public tells; its frames on the stack do. Without gradients the function runs once, except that
    the reentrant variant switches them off by itself and runs it again later.
    """
    if torch.compiler.is_compiling():
        # The compiler then leaves this function alone and runs it; a traced stack has no frames of torch.
        raise RuntimeError("a compiled graph does not know its stack")
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_filename == checkpoint.__file__:
            return torch.is_grad_enabled() or frame.f_code.co_name == "forward"
        frame = frame.f_back
    return False


def multiplies_bfloat16() -> bool:
    """Whether the processor has instructions for products of bfloat16."""
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def plain_apply(function: type[torch.autograd.Function]) -> Any:
    """``function.apply`` without what it does for ``torch.func`` first, one microsecond of thirty in a small
    layer; for calls with plain tensors under no transform.
    """
    return getattr(super(torch.autograd.Function, function), "apply", function.apply)


def register_fake(library: torch.library.Library, name: str, function: Callable[..., Any]) -> None:
    """``torch.library.register_fake`` without its search for the caller's line among all modules that are
    loaded, which would be most of the time that ``import softdraw`` takes.
    """
    operation = f"{library.ns}::{name}"
    try:
        fakes = torch._library.simple_registry.singleton.find(operation).fake_impl
        handle = fakes.register(function, f"{function.__module__}.{function.__name__}", lib=library)
        library._registration_handles.append(handle)
    except (AttributeError, TypeError):
        torch.library.register_fake(operation, function, lib=library)


def activation_memory_budget() -> float:
    """What share of the activations ``torch.compile`` may keep for the backward; 1 is all of them."""
    from torch._functorch import config

    return float(getattr(config, "activation_memory_budget", 1.0))


def all_reduce(value: Tensor, operation: str, group: Any) -> Tensor:
    """A new tensor: ``value`` reduced over a process group or a dimension ``(mesh, number)``, by an operation
    that compiled graphs can hold, and without a gradient.
    """
    from torch.distributed import _functional_collectives as collectives

    reduced = collectives.all_reduce(value.detach(), operation, group)
    done: Tensor = reduced.wait() if isinstance(reduced, collectives.AsyncCollectiveTensor) else reduced
    return done


def unfilled(distribution: D, instance: D | None) -> D:
    """For ``expand``: the instance, or one of the distribution's class that has no attributes yet.

    torch's distributions ask ``_get_checked_instance``, which torch 2.8 cannot compile.
    """
    return object.__new__(type(distribution)) if instance is None else instance


def is_strided(placement: object) -> bool:
    """Whether a placement is that of FSDP2's parameters, whose parts are interleaved."""
    from torch.distributed.tensor.placement_types import _StridedShard  # here: it takes half a second

    return isinstance(placement, _StridedShard)
