"""The fast path: fused draws on a device, with their gradients to the logits.

Logits arrive contiguous with the classes last. A soft draw keeps its output for the backward; a hard draw
keeps the logits it was given and the key, and makes the noise again. So do the two that draw hard samples
with another gradient.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import plain_apply
from softdraw.kernels import reference
from softdraw.kernels.dispatch import backend_for, backend_of
from softdraw.kernels.estimator_gradients import draws_sharing_a_key

__all__ = ["hard", "index", "noise", "rao", "reinmax", "soft"]


#: mask, tau, seed and offset: one argument, because autograd looks at each
_Rest = tuple[Tensor | None, float | Tensor, int, int]


class _Soft(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        y: Tensor = backend_of(logits).soft(logits, *rest)
        ctx.save_for_backward(y)
        ctx.tau = rest[1]
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (y,) = ctx.saved_tensors
        return _gradient(grad, y, ctx.tau), None


class _Hard(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: _Rest) -> Tensor:
        mask, _, seed, offset = rest
        y: Tensor = backend_of(logits).hard(logits, mask, seed, offset)
        ctx.save_for_backward(logits, mask)
        ctx.numbers = rest[1:]
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask = ctx.saved_tensors
        if torch.is_grad_enabled():
            # Differentiated again: through the soft sample, whose own backward is differentiable.
            return _gradient(grad, soft(logits, mask, *ctx.numbers), ctx.numbers[0]), None
        return backend_of(logits).hard_backward(grad.contiguous(), logits, mask, *ctx.numbers), None


class _ReinMax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: tuple[Any, ...]) -> Tensor:
        mask, tau, seed, offset, samples = rest
        y, index = backend_of(logits).hard_with_index(logits, mask, seed, offset, samples)
        ctx.save_for_backward(logits, mask, index)
        ctx.tau = tau
        drawn: Tensor = y
        return drawn

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask, index = ctx.saved_tensors
        # The reference can be differentiated again; the others cannot.
        backend = reference if torch.is_grad_enabled() else backend_of(logits)
        back = backend.reinmax_backward(grad.contiguous(), logits, mask, index, ctx.tau)
        return _summed(back, logits), None


class _Rao(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: tuple[Any, ...]) -> Tensor:
        mask, seed, offset, samples, *ctx.rest = rest
        y, index = backend_of(logits).hard_with_index(logits, mask, seed, offset, samples)
        ctx.save_for_backward(logits, mask, index)
        drawn: Tensor = y
        return drawn

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, mask, index = ctx.saved_tensors
        backend = reference if torch.is_grad_enabled() else backend_of(logits)
        return _summed(backend.rao_backward(grad.contiguous(), logits, mask, index, *ctx.rest), logits), None


def _summed(gradients: Tensor, logits: Tensor) -> Tensor:
    """Over samples of the same logits."""
    return gradients if gradients.dim() == logits.dim() else gradients.sum(0)


_soft, _hard, _reinmax, _rao = map(plain_apply, (_Soft, _Hard, _ReinMax, _Rao))


def _gradient(grad: Tensor, y: Tensor, tau: float | Tensor) -> Tensor:
    if torch.is_grad_enabled() and (grad.requires_grad or y.requires_grad):
        rate = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
        centred = y * (grad - (y * grad).sum(-1, keepdim=True))
        if isinstance(rate, Tensor):
            return torch.where(rate == 0, 0.0, centred / torch.where(rate == 0, 1.0, rate)).to(y.dtype)
        return centred / rate if rate > 0 else centred * 0.0
    result: Tensor = backend_of(y).soft_backward(grad.contiguous(), y, tau)
    return result


def soft(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """Soft samples in the shape and dtype of ``logits``."""
    if torch.is_grad_enabled() and logits.requires_grad:
        y: Tensor = _soft(logits, (mask, tau, seed, offset))
        return y
    drawn: Tensor = backend_of(logits).soft(logits, mask, tau, seed, offset)
    return drawn


def hard(logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int) -> Tensor:
    """One-hot samples with the gradient of the soft ones."""
    if torch.is_grad_enabled() and logits.requires_grad:
        y: Tensor = _hard(logits, (mask, tau, seed, offset))
        return y
    drawn: Tensor = backend_of(logits).hard(logits, mask, seed, offset)
    return drawn


def reinmax(
    logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int, samples: int | None
) -> Tensor:
    """One-hot samples ``[samples, *logits.shape]`` with ReinMax's gradient; tau is positive."""
    y: Tensor = _reinmax(logits, (mask, tau, seed, offset, samples))
    return y


def rao(
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    numbers: tuple[int, int],
    samples: int | None,
    later: tuple[int, int],
    draws: int,
    reinmax: bool,
) -> Tensor:
    """One-hot samples ``[samples, *logits.shape]`` with the gradient of Gumbel-Rao or of ReinMax-Rao.

    ``tau`` is positive. ``numbers`` are seed and offset of the samples, ``later`` those of the ``draws``
    conditional draws of noise that the backward makes.
    """
    group = draws_sharing_a_key(logits.shape[-1])
    y: Tensor = _rao(logits, (mask, *numbers, samples, tau, *later, draws, group, reinmax))
    return y


def index(logits: Tensor, mask: Tensor | None, seed: int, offset: int, samples: int) -> Tensor:
    """Gumbel-Max indices, int64 ``[samples, *logits.shape[:-1]]``."""
    drawn: Tensor = backend_of(logits).index(logits, mask, seed, offset, samples)
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
