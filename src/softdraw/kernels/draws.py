"""The fast path: fused draws on a device, with their gradients to the logits.

Logits arrive contiguous with the classes last. A soft draw keeps its output for the backward; a hard draw
keeps the logits it was given and the key, and makes the noise again.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.table import backend_for

__all__ = ["hard", "index", "noise", "soft"]


class _Soft(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
    ) -> Tensor:
        y: Tensor = backend_for(logits.device.type).soft(logits, mask, tau, seed, offset)
        ctx.save_for_backward(y)
        ctx.tau = tau
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _gradient(grad, y, ctx.tau), None, None, None, None


class _Hard(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int
    ) -> Tensor:
        y: Tensor = backend_for(logits.device.type).hard(logits, mask, seed, offset)
        ctx.save_for_backward(logits, mask)
        ctx.arguments = (tau, seed, offset)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask = ctx.saved_tensors
        tau, seed, offset = ctx.arguments
        if torch.is_grad_enabled():
            # Differentiated again: through the soft sample, whose own backward is differentiable.
            result = _gradient(grad, soft(logits, mask, tau, seed, offset), tau)
        else:
            backend = backend_for(logits.device.type)
            result = backend.hard_backward(grad.contiguous(), logits, mask, tau, seed, offset)
        return result, None, None, None, None


def _gradient(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    if torch.is_grad_enabled() and (grad.requires_grad or y.requires_grad):
        rate = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
        centred = y * (grad - (y * grad).sum(-1, keepdim=True))
        if isinstance(rate, Tensor):
            return torch.where(rate == 0, 0.0, centred / torch.where(rate == 0, 1.0, rate)).to(y.dtype)
        return centred / rate if rate > 0 else centred * 0.0
    result: Tensor = backend_for(y.device.type).soft_backward(grad.contiguous(), y, tau)
    return result


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Soft samples in the shape and dtype of ``logits``."""
    if torch.is_grad_enabled() and logits.requires_grad:
        y: Tensor = _Soft.apply(logits, mask, tau, seed, offset)  # type: ignore[no-untyped-call]
        return y
    drawn: Tensor = backend_for(logits.device.type).soft(logits, mask, tau, seed, offset)
    return drawn


def hard(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """One-hot samples with the gradient of the soft ones."""
    if torch.is_grad_enabled() and logits.requires_grad:
        y: Tensor = _Hard.apply(logits, mask, tau, seed, offset)  # type: ignore[no-untyped-call]
        return y
    drawn: Tensor = backend_for(logits.device.type).hard(logits, mask, seed, offset)
    return drawn


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``."""
    drawn: Tensor = backend_for(logits.device.type).index(logits, mask, seed, offset, samples)
    return drawn


def noise(
    law: str,
    samples: int,
    rows: int,
    classes: int,
    seed: int,
    offset: int,
    dtype: torch.dtype,
    device: torch.device,
) -> Tensor:
    """Noise ``[samples, rows, classes]`` of ``law``: gumbel, logistic, exponential or uniform."""
    drawn: Tensor = backend_for(device.type).noise(law, samples, rows, classes, seed, offset, dtype, device)
    return drawn
