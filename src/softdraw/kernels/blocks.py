"""Rows that are blocks of unequal sizes: the copy in which all are equally long, and the draws without it.

A row ``[total]`` holds blocks of ``sizes`` one after the other, each a choice of its own. Padded it is
``[blocks, width]``, whose rows and classes are those of the key. The loops of the CPU read blocks where they
lie; everything else works on the padded copy.
"""

from contextlib import nullcontext
from functools import cache
from itertools import accumulate
from typing import Any, NamedTuple

import torch
from torch import Tensor

from softdraw._torch import jit_traces, plain_apply, untraced
from softdraw.kernels import ops, reference
from softdraw.kernels.dispatch import backend_of
from softdraw.kernels.fast_path import REFUSED, is_plain_gradient, loops_for
from softdraw.kernels.formulas import compute_dtype, relaxed, scores
from softdraw.kernels.saved import check_saved, saved

__all__ = ["Layout", "hard", "has_loops", "index", "layout", "soft"]

#: mask, tau, seed, offset and sizes: one argument, because autograd looks at each
_Rest = tuple[Tensor | None, float | Tensor, int, int, tuple[int, ...]]


class Layout(NamedTuple):
    """Where the blocks of a row lie, in the row and in its padded copy.

    Attributes:
        blocks: how many there are.
        width: the size of the largest.
        take: for each place of the padded copy the element of the row, int64 ``[blocks * width]``; for
            padding the first of the block, whatever it holds.
        real: which places are no padding, ``[blocks, width]``.
        back: for each element of the row its place in the copy, int64 ``[total]``.
    """

    blocks: int
    width: int
    take: Tensor
    real: Tensor
    back: Tensor

    def pad(self, x: Tensor) -> Tensor:
        """``[*batch, total]`` to ``[*batch, blocks, width]``."""
        return x.index_select(-1, self.take).reshape(*x.shape[:-1], self.blocks, self.width)

    def mask(self, mask: Tensor | None) -> Tensor:
        """The mask of the padded copy: False on its padding."""
        return self.real if mask is None else self.pad(mask) & self.real

    def unpad(self, y: Tensor) -> Tensor:
        """``[*batch, blocks, width]`` to ``[*batch, total]``."""
        return y.reshape(*y.shape[:-2], self.blocks * self.width).index_select(-1, self.back)


def layout(sizes: tuple[int, ...], device: torch.device, keep: bool = False) -> Layout:
    """The layout of blocks of these sizes; with ``keep`` made once, for calls that no graph is built from."""
    if keep:
        return _kept(sizes, device)
    with untraced() if jit_traces() else nullcontext():  # to torch.jit.trace a layout is a constant
        return _layout(sizes, device)


def _layout(sizes: tuple[int, ...], device: torch.device) -> Layout:
    width, starts = max(sizes), list(accumulate(sizes, initial=0))[:-1]
    inside = [[i < size for i in range(width)] for size in sizes]
    take = [
        start + (i if i < size else 0)
        for start, size in zip(starts, sizes, strict=True)
        for i in range(width)
    ]
    back = [block * width + i for block, size in enumerate(sizes) for i in range(size)]
    return Layout(
        len(sizes),
        width,
        torch.tensor(take, dtype=torch.int64, device=device),
        torch.tensor(inside, dtype=torch.bool, device=device),
        torch.tensor(back, dtype=torch.int64, device=device),
    )


@cache
def _kept(sizes: tuple[int, ...], device: torch.device) -> Layout:
    with torch.inference_mode(False):
        return _layout(sizes, device)


def has_loops(tensor: Tensor) -> bool:
    """Whether the draws of this module serve a plain tensor."""
    return hasattr(backend_of(tensor), "blocks")


def _native(tensor: Tensor) -> Any:
    return backend_of(tensor).blocks  # type: ignore[attr-defined]


class SoftBlocks(torch.autograd.Function):
    """A soft sample."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        y = _native(logits).soft(logits, *rest)
        ctx.save_for_backward(y)
        ctx.tau, ctx.sizes = rest[1], rest[4]
        return y  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        if loops_for(grad):
            try:
                return _native(grad).soft_backward(grad, y, ctx.tau, ctx.sizes), None
            except REFUSED:
                pass
        check_saved(y, grad.dtype, grad.shape, grad.device)
        return _padded_backward(grad, y, ctx.tau, ctx.sizes), None


class HardBlocks(torch.autograd.Function):
    """A hard sample with the gradient of the soft one at the same key."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        mask, _, seed, offset, sizes = rest
        y = _native(logits).hard(logits, mask, seed, offset, sizes)
        ctx.save_for_backward(logits, mask)
        ctx.rest = rest[1:]
        return y  # type: ignore[no-any-return]

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask = saved(ctx)
        tau, seed, offset, sizes = ctx.rest
        if loops_for(grad):
            try:
                return _native(grad).hard_backward(grad, logits, mask, tau, seed, offset, sizes), None
            except REFUSED:
                pass
        check_saved(logits, grad.dtype, grad.shape, grad.device)
        if mask is not None:
            check_saved(mask, torch.bool, grad.shape, grad.device)
        if is_plain_gradient(grad):
            y = soft(logits, mask, tau, seed, offset, sizes)
        else:
            places = layout(sizes, logits.device)
            x = places.pad(logits)
            state = torch.tensor([seed, offset], device="cpu")
            size = x.numel() // places.width, places.width
            noise = ops.noise(state, "gumbel", 1, *size, compute_dtype(x.dtype), x.device).reshape(x.shape)
            column = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
            drawn = scores(x, places.mask(mask), noise)
            y = places.unpad(relaxed(drawn, column).to(logits.dtype))
        return _padded_backward(grad, y, tau, sizes), None


def _padded_backward(grad: Tensor, y: Tensor, tau: float | Tensor, sizes: tuple[int, ...]) -> Tensor:
    """The reference's gradient, differentiable again."""
    places = layout(sizes, y.device)
    wide = torch.where(places.real, places.pad(y), 0.0)
    return places.unpad(reference.soft_backward(places.pad(grad), wide, tau))


_soft, _hard = map(plain_apply, (SoftBlocks, HardBlocks))


def soft(
    logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int, sizes: tuple[int, ...]
) -> Tensor:
    """Soft samples of each block; ``tau`` is a float or a tensor ``[*batch, blocks]``."""
    if torch.is_grad_enabled() and logits.requires_grad:
        return _soft(logits, (mask, tau, seed, offset, sizes))  # type: ignore[no-any-return]
    return _native(logits).soft(logits, mask, tau, seed, offset, sizes)  # type: ignore[no-any-return]


def hard(
    logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int, sizes: tuple[int, ...]
) -> Tensor:
    """One-hot samples of each block, with the gradient of the soft ones."""
    if torch.is_grad_enabled() and logits.requires_grad:
        return _hard(logits, (mask, tau, seed, offset, sizes))  # type: ignore[no-any-return]
    return _native(logits).hard(logits, mask, seed, offset, sizes)  # type: ignore[no-any-return]


def index(
    logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, sizes: tuple[int, ...]
) -> Tensor:
    """Gumbel-Max indices within each block, int64 ``[samples, *batch, blocks]``."""
    return _native(logits).index(logits, mask, seed, offset, samples, sizes)  # type: ignore[no-any-return]
