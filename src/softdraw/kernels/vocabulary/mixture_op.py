"""The mixture as operations that graphs carry: ``softdraw::vocabulary_mixture`` and its backward.

Eager mode calls them too: beside a vocabulary's products their own cost is nothing, and compiled graphs,
``vmap`` and ``torch.func.grad`` then see what eager mode does.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import innermost_transform, register_fake
from softdraw.kernels.formulas import wide
from softdraw.kernels.ops import one_by_one
from softdraw.kernels.saved import keep, kept
from softdraw.kernels.vocabulary import mixture, mixture_backward
from softdraw.kernels.vocabulary.mixture_draw import Draw
from softdraw.kernels.vocabulary.mixture_formulas import STATES
from softdraw.kernels.vocabulary.tiles import computed

__all__ = ["backward_fake", "forward_fake", "mix"]

_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_INPUTS = (
    "Tensor hidden, Tensor weight, Tensor? embedding, Tensor? bias, Tensor? mask, Tensor? row_tau, "
    "float tau, Tensor state, str estimator, bool hard, bool centred, SymInt class_start"
)
_library.define(f"vocabulary_mixture({_INPUTS}) -> (Tensor, Tensor, Tensor, Tensor)")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "vocabulary_mixture_backward(Tensor grad, Tensor index, Tensor centre, Tensor known, "
    f"{_INPUTS}, bool[] needs) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
#: places of hidden, weight, embedding, bias and row_tau among the inputs
_LEARNED = (0, 1, 2, 3, 5)


def _draw(row_tau: Tensor | None, tau: float, state: Tensor, estimator: str, hard: bool, start: int) -> Draw:
    seed, offset = state.tolist()
    return Draw(estimator, hard, tau, row_tau, (seed, offset), start)


def _forward(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    row_tau: Tensor | None,
    tau: float,
    state: Tensor,
    estimator: str,
    hard: bool,
    centred: bool,
    class_start: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    draw = _draw(row_tau, tau, state, estimator, hard, class_start)
    return mixture.forward(hidden, weight, embedding, bias, mask, draw, centred)


def forward_fake(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    row_tau: Tensor | None,
    tau: float,
    state: Tensor,
    estimator: str,
    hard: bool,
    centred: bool,
    class_start: int,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Shapes and dtypes of the operation's results."""
    rows, width = hidden.shape[0], (weight if embedding is None else embedding).shape[1]
    draw = Draw(estimator, hard, tau, row_tau, (0, 0), class_start)
    dtype = computed(hidden, weight, embedding)
    shape = (1 + (draw.second and centred), rows, width) if centred or not draw.picks else (0,)
    return (
        hidden.new_empty((rows, width)),
        hidden.new_empty((rows,), dtype=torch.int64),
        hidden.new_empty(shape, dtype=dtype),
        hidden.new_empty((rows, STATES), dtype=wide(hidden.device)),
    )


def _backward(
    grad: Tensor, index: Tensor, centre: Tensor, known: Tensor, *rest: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    *inputs, row_tau, tau, state, estimator, hard, _, class_start, needs = rest
    draw = _draw(row_tau, tau, state, estimator, hard, class_start)
    hidden, weight, embedding, bias, mask = inputs
    of_draw = (draw, index, centre, known, tuple(needs))
    found = mixture_backward.backward(grad, hidden, weight, embedding, bias, mask, *of_draw)
    a, b, c, d, e = (grad.new_empty(0) if one is None else one for one in found)
    return a, b, c, d, e


def backward_fake(
    grad: Tensor, index: Tensor, centre: Tensor, known: Tensor, *rest: Any
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Shapes and dtypes of the operation's results."""
    needs = rest[-1]
    likes = [rest[place] for place in _LEARNED]
    a, b, c, d, e = (
        torch.empty_like(like, memory_format=torch.contiguous_format)
        if need and like is not None
        else grad.new_empty(0)
        for need, like in zip(needs, likes, strict=True)
    )
    return a, b, c, d, e


def _setup(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    _, index, centre, known = output
    ctx.mark_non_differentiable(index, centre, known)
    ctx.set_materialize_grads(False)
    keep(ctx, index, centre, known, *inputs)


def _gradient(ctx: Any, grad: Tensor | None, *_: Any) -> tuple[Tensor | None, ...]:
    index, centre, known, *inputs = kept(ctx)
    if grad is None:
        return (None,) * len(inputs)
    needs = [bool(ctx.needs_input_grad[place]) for place in _LEARNED]
    if inputs[8] == "reinmax":
        needs[-1] = False  # its temperature gets no gradient
    call = _TransformedBackward.apply if _transformed() else torch.ops.softdraw.vocabulary_mixture_backward
    found = call(grad, index, centre, known, *inputs, needs)  # type: ignore[no-untyped-call]
    result: list[Tensor | None] = [None] * len(inputs)
    for place, need, one in zip(_LEARNED, needs, found, strict=True):
        result[place] = one if need else None
    return tuple(result)


def _setup_second(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    ctx.count = len(inputs)


def _second(ctx: Any, *_: Any) -> tuple[None, ...]:
    raise RuntimeError(
        "softdraw.vocabulary.gumbel_softmax: its gradient was differentiated again, which its tiles do not "
        "do; for second derivatives take softdraw.gumbel_softmax(hidden @ weight.T) @ embedding, which makes "
        "the logits"
    )


def _transformed() -> bool:
    return not torch.compiler.is_compiling() and innermost_transform() is not None


class _Transformed(torch.autograd.Function):
    """The operation under ``torch.func``, which does not look into what is registered for autograd."""

    generate_vmap_rule = True
    setup_context = staticmethod(_setup)
    backward = staticmethod(_gradient)

    @staticmethod
    def forward(*inputs: Any) -> Any:
        return torch.ops.softdraw.vocabulary_mixture(*inputs)


class _TransformedBackward(torch.autograd.Function):
    """The same of its backward."""

    generate_vmap_rule = True
    setup_context = staticmethod(_setup_second)
    backward = staticmethod(_second)

    @staticmethod
    def forward(*inputs: Any) -> Any:
        return torch.ops.softdraw.vocabulary_mixture_backward(*inputs)


_key = "CompositeExplicitAutograd"
_library.impl("vocabulary_mixture", _forward, _key)  # type: ignore[no-untyped-call]
_library.impl("vocabulary_mixture_backward", _backward, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "vocabulary_mixture", forward_fake)
register_fake(_library, "vocabulary_mixture_backward", backward_fake)
_name = "softdraw::vocabulary_mixture"
torch.library.register_autograd(_name, _gradient, setup_context=_setup, lib=_library)
torch.library.register_autograd(f"{_name}_backward", _second, setup_context=_setup_second, lib=_library)
torch.library.register_vmap(_name, one_by_one("vocabulary_mixture"), lib=_library)
torch.library.register_vmap(f"{_name}_backward", one_by_one("vocabulary_mixture_backward"), lib=_library)


def mix(
    hidden: Tensor,
    weight: Tensor,
    embedding: Tensor | None,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: float | Tensor,
    state: Tensor,
    estimator: str,
    hard: bool,
    centred: bool,
) -> tuple[Tensor, Tensor]:
    """The mixtures ``[rows, e]`` and the winners ``[rows]``; see ``mixture.forward``.

    ``tau`` is a float or ``[rows]``, ``state`` the key as a tensor.
    """
    row_tau, fixed = (tau, 1.0) if isinstance(tau, Tensor) else (None, tau)
    rest = (mask, row_tau, fixed, state, estimator, hard, centred, 0)
    call = _Transformed.apply if _transformed() else torch.ops.softdraw.vocabulary_mixture
    value, index, _, _ = call(hidden, weight, embedding, bias, *rest)  # type: ignore[no-untyped-call]
    return value, index
