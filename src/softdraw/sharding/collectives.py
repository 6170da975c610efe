"""Reductions over the ranks that hold parts of the same rows, in eager mode and in compiled graphs."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import all_reduce
from softdraw.random import Key, source
from softdraw.random.key import key_from_state

__all__ = ["Axes", "agreed_key", "max_over", "sum_over"]

#: groups of ranks, one after the other: process groups, or a mesh and the number of a dimension of it
Axes = Sequence[Any]


class _Sum(torch.autograd.Function):
    """A sum over ranks. Each rank's loss has a part in it, so its gradient is a sum over ranks, too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor, axes: Axes) -> Tensor:
        ctx.axes = axes
        return _reduced(value, "sum", axes)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return sum_over(grad, ctx.axes), None


def sum_over(value: Tensor, axes: Axes) -> Tensor:
    """The sum over all ranks of ``axes``, differentiable on each of them."""
    if not axes:
        return value
    return _Sum.apply(value, axes)  # type: ignore[no-any-return, no-untyped-call]


def max_over(value: Tensor, axes: Axes) -> Tensor:
    """The maximum over all ranks of ``axes``, without a gradient; of NaN, reductions make this or that."""
    return _reduced(value.detach(), "max", axes)


def agreed_key(
    key: Key | None, generator: torch.Generator | None, axes: Axes, first: bool, device: torch.device
) -> Key:
    """The caller's key, which is the same on all ranks, or a fresh one of the first rank's.

    Args:
        key: the caller's.
        generator: the caller's; each rank's is moved on, and the first one's decides.
        axes: all ranks that must agree.
        first: whether this rank is the first along every axis.
        device: where the group communicates; a fresh key waits for it.
    """
    if key is not None:
        return key
    state = source.fresh_key(generator).state
    state = _reduced((state if first else torch.zeros_like(state)).to(device), "sum", axes).to("cpu")
    if torch.compiler.is_compiling():
        return key_from_state(state)
    return Key(*state.tolist())


def _reduced(value: Tensor, operation: str, axes: Axes) -> Tensor:
    value = value.contiguous()
    for axis in axes:
        value = all_reduce(value, operation, axis)
    return value
