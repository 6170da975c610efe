"""Hand a gradient that an estimator computed by itself to autograd."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from softdraw.kernels.saved import keep, kept

__all__ = ["attach"]


class _Attach(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, value: Tensor, logits: Tensor, gradient: Tensor, count: int, *rest: Tensor
    ) -> Tensor:
        keep(ctx, gradient, *rest[count:])
        return value.view_as(value)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        gradient, *own = kept(ctx)
        weight = upstream.unsqueeze(-1).unsqueeze(-1)
        # The estimator's own parameters always descend, also where the caller ascends on the value.
        scale = upstream.abs().sum()
        to_logits = weight.to(gradient.dtype) * gradient
        # a zero upstream weight stops even an overflowed estimate
        to_logits = to_logits.masked_fill(weight == 0, 0.0)
        return upstream, to_logits, None, None, *(scale.to(g.dtype) * g for g in own), *(None for _ in own)


def attach(
    value: Tensor,
    logits: Tensor,
    gradient: Tensor,
    own: Sequence[tuple[Tensor, Tensor]] = (),
) -> Tensor:
    """The value, whose backward also gives the logits a stated gradient.

    Args:
        value: ``[*batch]``; gradients that already flow from it (to f's parameters) still do.
        logits: ``[*batch, D, C]``.
        gradient: ``[*batch, D, C]``, the estimate of d E[f] / d logits for each batch element.
        own: pairs of a parameter of the estimator and the gradient of what that parameter minimises, averaged
            over the batch. It arrives multiplied by the sum of the upstream weights' magnitudes.

    Returns:
        ``[*batch]``, equal to ``value``.

    Example:
        >>> import torch
        >>> from softdraw.estimators._core.attach import attach
        >>> logits = torch.zeros(1, 2, requires_grad=True)
        >>> attach(torch.tensor(3.0), logits, torch.tensor([[1.0, -1.0]])).backward()
        >>> logits.grad
        tensor([[ 1., -1.]])
    """
    pairs = [pair for pair in own if pair[0].requires_grad]
    parameters = [parameter for parameter, _ in pairs]
    gradients = [g.detach() for _, g in pairs]
    return _Attach.apply(value, logits, gradient.detach(), len(pairs), *parameters, *gradients)  # type: ignore[no-any-return, no-untyped-call]
