"""Hand a gradient that an estimator computed by itself to autograd."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from softdraw.kernels.saved import keep, kept

__all__ = ["attach", "attach_surrogate"]


class _Attach(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, logits: Tensor, gradient: Tensor, count: int, *rest: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        _, logits, gradient, count, *rest = inputs
        keep(ctx, logits, gradient, *rest[count:])
        ctx.save_for_forward(gradient)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor | None, ...]:
        logits, gradient, *own = kept(ctx)
        weight = upstream.unsqueeze(-1).unsqueeze(-1)
        # The estimator's own parameters always descend, also where the caller ascends on the value.
        scale = upstream.abs().sum()
        to_logits = weight.to(gradient.dtype) * gradient
        # a zero upstream weight stops even an overflowed estimate
        to_logits = to_logits.masked_fill(weight == 0, 0.0)
        if torch.is_grad_enabled():
            to_logits = to_logits + _Unknown.apply(logits)  # type: ignore[no-untyped-call]
        return upstream, to_logits, None, None, *(scale.to(g.dtype) * g for g in own), *(None for _ in own)

    @staticmethod
    def jvp(ctx: Any, value: Tensor | None, logits: Tensor | None, *others: Tensor | None) -> Tensor | None:
        (gradient,) = ctx.saved_for_forward
        if logits is None:
            return value
        along: Tensor = (gradient * logits).sum((-1, -2))
        return along if value is None else value + along


class _Unknown(torch.autograd.Function):
    """0, in place of the part of an estimate that depends on the logits in a way that is not known any more.

    A part of its own, so that a derivative with respect to something else does not ask for it.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(logits: Tensor) -> Tensor:
        return logits.new_zeros(())

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> None:
        raise RuntimeError(
            "expectation: got a second derivative, expected one: the gradient is an estimate from costs, "
            "whose own derivative it does not know; 'enumeration', or an estimator whose needs is 'tensor', "
            "has one"
        )


class _AttachSurrogate(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(value: Tensor, surrogate: Tensor) -> Tensor:
        return value.view_as(value)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.dtype = inputs[1].dtype
        keep(ctx, inputs[1])

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, Tensor]:
        (surrogate,) = kept(ctx)
        weight = upstream.to(ctx.dtype)
        return upstream, weight + _Unknown.apply(surrogate) if torch.is_grad_enabled() else weight  # type: ignore[no-untyped-call]

    @staticmethod
    def jvp(ctx: Any, value: Tensor | None, surrogate: Tensor | None) -> Tensor | None:
        if value is None or surrogate is None:
            return surrogate if value is None else value
        return value + surrogate.to(value.dtype)


def attach_surrogate(value: Tensor, surrogate: Tensor) -> Tensor:
    """The value, whose backward also differentiates ``surrogate``, whatever that is worth.

    Args:
        value: ``[*batch]``; gradients that already flow from it still do.
        surrogate: ``[*batch]``, whose gradient is the estimate, such as a cost times a log probability.

    Returns:
        ``[*batch]``, equal to ``value``.

    Example:
        >>> import torch
        >>> from softdraw.estimators._core.attach import attach_surrogate
        >>> x = torch.tensor(2.0, requires_grad=True)
        >>> y = attach_surrogate(torch.tensor(3.0), x.square())
        >>> y.backward()
        >>> y.item(), x.grad.item()
        (3.0, 4.0)
    """
    if torch.compiler.is_compiling():
        # a graph takes no function with a forward derivative, and has no second derivative to refuse
        return value + (surrogate - surrogate.detach()).nan_to_num(0.0).to(value.dtype)
    return _AttachSurrogate.apply(value, surrogate)  # type: ignore[no-any-return, no-untyped-call]


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
