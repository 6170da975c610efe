"""The fast path: fused draws on a device, with their gradients to the logits.

Logits arrive contiguous with the classes last. A soft draw keeps its output for the backward; a hard draw
keeps the logits it was given and the key, and makes the noise again. So do the two that draw hard samples
with another gradient.

Each gradient is one autograd function, whose backward is a kernel on plain tensors and differentiable PyTorch
wherever a kernel cannot go: when it is differentiated again (``create_graph=True``) and under the transforms
of ``torch.func``, those of ``is_grads_batched=True`` among them.
"""

import math
from typing import Any

import torch
from torch import Tensor

from softdraw._torch import plain_apply
from softdraw.kernels import estimator_gradients, key_state, ops, reference
from softdraw.kernels.dispatch import backend_for, backend_of
from softdraw.kernels.estimator_gradients import draws_sharing_a_key
from softdraw.kernels.fast_path import is_plain, is_plain_gradient, kernel_serves
from softdraw.kernels.formulas import compute_dtype, relaxed, scores
from softdraw.kernels.saved import check_alike, check_drawn, check_saved, keep, kept, saved

__all__ = ["hard", "index", "noise", "rao", "rao_given", "reinmax", "reinmax_given", "soft", "top_k"]

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
        check_alike(logits, grad)
        if mask is not None:
            check_saved(mask, torch.bool, grad.shape, grad.device)
        if kernel_serves(grad):
            return backend_of(logits).hard_backward(grad, logits, mask, tau, seed, offset), None
        if is_plain_gradient(grad):
            return reference.soft_backward(grad, soft(logits, mask, tau, seed, offset), tau), None
        state = torch.tensor([seed, offset], device="cpu")
        noise = _noise_of(state, "gumbel", 1, logits).reshape(logits.shape)
        column = tau.unsqueeze(-1) if isinstance(tau, Tensor) else tau
        y = relaxed(scores(logits, mask, noise), column).to(logits.dtype)
        return reference.soft_backward(grad, y, tau), None


class ReinMax(torch.autograd.Function):
    """The one-hot ``drawn`` of the winners ``index``, with ReinMax's gradient, under any transform."""

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor, drawn: Tensor, index: Tensor, mask: Tensor | None, tau: float | Tensor
    ) -> Tensor:
        return drawn.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, _, *rest = inputs
        keep(ctx, logits, *rest)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, *rest = kept(ctx)
        return _reinmax_gradient(grad, logits, *rest), None, None, None, None


class DrawnReinMax(torch.autograd.Function):
    """The same for plain tensors, drawn here; few arguments, because autograd looks at each."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: tuple[Any, ...]) -> Tensor:
        mask, tau, seed, offset, samples = rest
        drawn, index = backend_of(logits).hard_with_index(logits, mask, seed, offset, samples)
        ctx.save_for_backward(logits, index, mask)
        ctx.tau = tau
        return drawn

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, index, mask = saved(ctx)
        check_drawn(logits, index, mask, grad)
        if kernel_serves(grad):
            back = backend_of(logits).reinmax_backward(grad, logits, mask, index, ctx.tau)
            return _summed(back, logits), None
        return _reinmax_gradient(grad, logits, index, mask, ctx.tau), None


class Rao(torch.autograd.Function):
    """The one-hot ``drawn`` of the winners ``index``, with Gumbel-Rao's gradient or ReinMax-Rao's.

    ``state`` is the key of the conditional noise.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(
        logits: Tensor,
        drawn: Tensor,
        index: Tensor,
        mask: Tensor | None,
        tau: float | Tensor,
        state: Tensor,
        draws: int,
        reinmax: bool,
    ) -> Tensor:
        return drawn.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        logits, _, *rest, ctx.draws, ctx.reinmax = inputs
        keep(ctx, logits, *rest)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, index, mask, tau, state = kept(ctx)
        return _rao_gradient(grad, logits, index, mask, tau, state, ctx.draws, ctx.reinmax), *(None,) * 7


class DrawnRao(torch.autograd.Function):
    """The same for plain tensors, drawn here."""

    @staticmethod
    def forward(ctx: Any, logits: Tensor, rest: tuple[Any, ...]) -> Tensor:
        mask, seed, offset, samples, *ctx.rest = rest
        drawn, index = backend_of(logits).hard_with_index(logits, mask, seed, offset, samples)
        ctx.save_for_backward(logits, index, mask)
        return drawn

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        logits, index, mask = saved(ctx)
        check_drawn(logits, index, mask, grad)
        tau, later, draws, reinmax = ctx.rest
        if kernel_serves(grad):
            rest = (*later, draws, draws_sharing_a_key(logits.shape[-1]), reinmax)
            back = backend_of(logits).rao_backward(grad, logits, mask, index, tau, *rest)
            return _summed(back, logits), None
        state = torch.tensor(later, device="cpu")
        return _rao_gradient(grad, logits, index, mask, tau, state, draws, reinmax), None


def _reinmax_gradient(
    grad: Tensor, logits: Tensor, index: Tensor, mask: Tensor | None, tau: float | Tensor
) -> Tensor:
    """ReinMax's gradient in differentiable PyTorch."""
    return _summed(estimator_gradients.reinmax_backward(grad, logits, mask, index, tau), logits)


def _rao_gradient(
    grad: Tensor,
    logits: Tensor,
    index: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    state: Tensor,
    draws: int,
    reinmax: bool,
) -> Tensor:
    """Gumbel-Rao's gradient, or ReinMax-Rao's, in differentiable PyTorch."""

    def noise(number: int, count: int) -> Tensor:
        return _noise_of(key_state.fold_in(state, number), "gumbel", count, logits)

    rest = (draws, draws_sharing_a_key(logits.shape[-1]), reinmax)
    return _summed(estimator_gradients.rao_backward(noise, grad, logits, mask, index, tau, *rest), logits)


def _nothing_to_learn(logits: Tensor) -> bool:
    return is_plain(logits) and not (torch.is_grad_enabled() and logits.requires_grad)


def _noise_of(state: Tensor, law: str, samples: int, logits: Tensor) -> Tensor:
    *rows, classes = logits.shape
    dtype = compute_dtype(logits.dtype)
    return ops.noise(state, law, samples, math.prod(rows), classes, dtype, logits.device)


def _summed(gradients: Tensor, logits: Tensor) -> Tensor:
    """Over samples of the same logits."""
    return gradients if gradients.dim() == logits.dim() else gradients.sum(0)


_soft, _hard, _reinmax, _rao = map(plain_apply, (Soft, Hard, DrawnReinMax, DrawnRao))


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


def reinmax(
    logits: Tensor, mask: Tensor | None, tau: float | Tensor, seed: int, offset: int, samples: int | None
) -> Tensor:
    """One-hot samples ``[samples, *logits.shape]`` with ReinMax's gradient; tau is positive."""
    return _reinmax(logits, (mask, tau, seed, offset, samples))  # type: ignore[no-any-return]


def reinmax_given(
    drawn: Tensor, index: Tensor, logits: Tensor, mask: Tensor | None, tau: float | Tensor
) -> Tensor:
    """The same for samples and winners that were drawn before, under any transform and for tau >= 0.

    Args:
        drawn: ``[*samples, *logits.shape]``.
        index: ``[*samples, *rows]``; -1 in rows without a winner.
        logits: where the gradient goes.
        mask: in the shape of the logits.
        tau: a float or a tensor ``[*rows]``.
    """
    if _nothing_to_learn(logits):
        return drawn
    return ReinMax.apply(logits, drawn, index, mask, tau)  # type: ignore[no-any-return, no-untyped-call]


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
    return _rao(logits, (mask, *numbers, samples, tau, later, draws, reinmax))  # type: ignore[no-any-return]


def rao_given(
    drawn: Tensor,
    index: Tensor,
    logits: Tensor,
    mask: Tensor | None,
    tau: float | Tensor,
    state: Tensor,
    draws: int,
    reinmax: bool,
) -> Tensor:
    """The same for samples and winners that were drawn before, under any transform; see ``reinmax_given``.

    ``state`` is the key of the conditional noise as a tensor.
    """
    if _nothing_to_learn(logits):
        return drawn
    return Rao.apply(logits, drawn, index, mask, tau, state, draws, reinmax)  # type: ignore[no-any-return, no-untyped-call]


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
