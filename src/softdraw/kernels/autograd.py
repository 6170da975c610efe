"""The fast path: fused draws on a device, with their gradients to the logits.

A soft draw keeps its output for the backward; a hard draw keeps the logits it was given and the key, and
makes the noise again. ``estimator_draws`` holds those that draw hard samples with another gradient.

Each gradient is one autograd function, whose backward is a kernel on plain tensors and differentiable PyTorch
wherever a kernel cannot go: when it is differentiated again (``create_graph=True``) and under the transforms
of ``torch.func``, those of ``is_grads_batched=True`` among them. The loops of the CPU are asked first: they
look themselves at what a hook on saved tensors gave back.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import plain_apply
from softdraw.kernels import reference
from softdraw.kernels.dispatch import backend_for, backend_of
from softdraw.kernels.fast_path import REFUSED, is_plain_gradient, kernel_serves, loops_for
from softdraw.kernels.formulas import relaxed, scores
from softdraw.kernels.ops import noise_beside
from softdraw.kernels.saved import check_alike, check_saved, saved

__all__ = ["hard", "index", "noise", "soft", "top_k"]

#: mask, tau, seed and offset: one argument, because autograd looks at each
_Rest = tuple[Tensor | None, float | Tensor, int, int]


class Soft(torch.autograd.Function):
    """A soft sample."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        y = backend_of(logits).soft(logits, *rest)
        ctx.save_for_backward(y)
        ctx.tau = rest[1]
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        if loops := loops_for(grad):
            try:
                return loops.soft_backward(grad, y, ctx.tau), None
            except REFUSED:
                pass
        check_alike(y, grad)
        backend = backend_of(y) if kernel_serves(grad) else reference
        return backend.soft_backward(grad, y, ctx.tau), None


class Hard(torch.autograd.Function):
    """A hard sample with the gradient of the soft one at the same key."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        mask, _, seed, offset = rest
        y = backend_of(logits).hard(logits, mask, seed, offset)
        ctx.save_for_backward(logits, mask)
        ctx.numbers = rest[1:]
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask = saved(ctx)
        tau, seed, offset = ctx.numbers
        if loops := loops_for(grad):
            try:
                return loops.hard_backward(grad, logits, mask, tau, seed, offset), None
            except REFUSED:
                pass
        check_alike(logits, grad)
        if mask is not None:
            check_saved(mask, torch.bool, grad.shape, grad.device)
        if kernel_serves(grad):
            return backend_of(logits).hard_backward(grad, logits, mask, tau, seed, offset), None
        if is_plain_gradient(grad):
            return reference.soft_backward(grad, soft(logits, mask, tau, seed, offset), tau), None
        state = torch.tensor([seed, offset], device="cpu")
        noise = noise_beside(state, "gumbel", 1, logits).reshape(logits.shape)
        column = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
        y = relaxed(scores(logits, mask, noise), column).to(logits.dtype)
        return reference.soft_backward(grad, y, tau), None


_soft, _hard = map(plain_apply, (Soft, Hard))


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Soft samples in the shape and dtype of ``logits``."""
    if torch.is_grad_enabled() and logits.requires_grad:
        return _soft(logits, (mask, tau, seed, offset))  # type: ignore[no-any-return]
    return backend_of(logits).soft(logits, mask, tau, seed, offset)


def hard(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """One-hot samples with the gradient of the soft ones."""
    if torch.is_grad_enabled() and logits.requires_grad:
        return _hard(logits, (mask, tau, seed, offset))  # type: ignore[no-any-return]
    return backend_of(logits).hard(logits, mask, seed, offset)


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``."""
    return backend_of(logits).index(logits, mask, seed, offset, samples)


def top_k(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int, k: int) -> Tensor:
    """The k best indices of Gumbel-Max, int64 ``[samples, *logits.shape[:-1], k]``, best first."""
    return backend_of(logits).top_k(logits, mask, seed, offset, samples, k)


def noise(
    law: str,
    samples: int,
    rows: int,
    classes: int,
    seed: int,
    offset: int,
    dtype: torch.dtype,
    device: torch.device,
    class_start: int = 0,
) -> Tensor:
    """Noise ``[samples, rows, classes]`` of ``law``; the first class is number ``class_start``."""
    return backend_for(device.type).noise(
        law, samples, rows, classes, seed, offset, dtype, device, class_start
    )
