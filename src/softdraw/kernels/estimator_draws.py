"""Hard draws whose gradient is an estimator's: ReinMax and Gumbel-Rao.

Each comes twice: drawn here for plain tensors, and for samples that were drawn before, under any transform.
As in ``autograd``, a backward is a kernel where one can go and differentiable PyTorch elsewhere.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import plain_apply
from softdraw.kernels import estimator_gradients, key_state
from softdraw.kernels.dispatch import backend_of
from softdraw.kernels.estimator_gradients import draws_sharing_a_key
from softdraw.kernels.fast_path import REFUSED, is_plain, kernel_serves, loops_for
from softdraw.kernels.ops import noise_beside
from softdraw.kernels.saved import check_drawn, keep, kept, saved

__all__ = ["rao", "rao_given", "reinmax", "reinmax_given"]


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
        if loops := loops_for(grad):
            try:
                return _summed(loops.reinmax_backward(grad, logits, mask, index, ctx.tau), logits), None
            except REFUSED:
                pass
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
        tau, later, draws, reinmax = ctx.rest
        rest = (*later, draws, draws_sharing_a_key(grad.shape[-1]), reinmax)
        if loops := loops_for(grad):
            try:
                return _summed(loops.rao_backward(grad, logits, mask, index, tau, *rest), logits), None
            except REFUSED:
                pass
        check_drawn(logits, index, mask, grad)
        if kernel_serves(grad):
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
        return noise_beside(key_state.fold_in(state, number), "gumbel", count, logits)

    rest = (draws, draws_sharing_a_key(logits.shape[-1]), reinmax)
    return _summed(estimator_gradients.rao_backward(noise, grad, logits, mask, index, tau, *rest), logits)


def _nothing_to_learn(logits: Tensor) -> bool:
    return is_plain(logits) and not (torch.is_grad_enabled() and logits.requires_grad)


def _summed(gradients: Tensor, logits: Tensor) -> Tensor:
    """Over samples of the same logits."""
    return gradients if gradients.dim() == logits.dim() else gradients.sum(0)


_reinmax, _rao = map(plain_apply, (DrawnReinMax, DrawnRao))


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
