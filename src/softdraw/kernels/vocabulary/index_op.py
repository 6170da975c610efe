"""The draw of an index as operations that graphs carry: ``softdraw::vocabulary_index`` and its backward.

Eager mode calls them too: beside a vocabulary's products their own cost is nothing, and compiled graphs,
``vmap`` and ``torch.func.grad`` then see what eager mode does.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import register_fake
from softdraw.kernels.ops import one_by_one
from softdraw.kernels.saved import keep, kept
from softdraw.kernels.vocabulary import index
from softdraw.kernels.vocabulary.index_state import Drawn
from softdraw.kernels.vocabulary.tiles import computed

__all__ = ["backward", "backward_fake", "draw"]

_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_INPUTS = "Tensor hidden, Tensor weight, Tensor? bias, Tensor? mask, Tensor tau, Tensor state, SymInt samples"
_library.define(  # type: ignore[no-untyped-call]
    f"vocabulary_index({_INPUTS}, bool measured) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define(  # type: ignore[no-untyped-call]
    "vocabulary_index_backward(Tensor log_prob_grad, Tensor entropy_grad, Tensor index, Tensor top, "
    "Tensor log_total, Tensor mean, Tensor hidden, Tensor weight, Tensor? bias, Tensor? mask, Tensor tau, "
    "bool[] needs) -> (Tensor, Tensor, Tensor, Tensor)"
)
#: places of hidden, weight, bias and tau among the inputs
_LEARNED = (0, 1, 2, 4)
_Six = tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]
_Four = tuple[Tensor, Tensor, Tensor, Tensor]


def _draw(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    samples: int,
    measured: bool,
) -> _Six:
    seed, offset = state.tolist()
    drawn = index.forward(hidden, weight, bias, mask, tau, (seed, offset), samples, measured)
    if not measured:
        a, b, c, d, e = (drawn.top.new_empty(0) for _ in range(5))
        return drawn.index, a, b, c, d, e
    empty = drawn.top == -torch.inf
    log_prob = torch.where(empty, 0.0, drawn.chosen - drawn.top - drawn.log_total)
    entropy = torch.where(empty, 0.0, drawn.log_total - drawn.mean)
    return drawn.index, log_prob, entropy, drawn.top, drawn.log_total, drawn.mean


def _draw_fake(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    samples: int,
    measured: bool,
) -> _Six:
    rows = hidden.shape[0]
    found = hidden.new_empty((samples, rows), dtype=torch.int64)
    shapes = ((samples, rows), *((rows,),) * 4) if measured else ((0,),) * 5
    log_prob, entropy, top, log_total, mean = (
        hidden.new_empty(shape, dtype=computed(hidden, weight)) for shape in shapes
    )
    return found, log_prob, entropy, top, log_total, mean


def backward(
    log_prob_grad: Tensor,
    entropy_grad: Tensor,
    found: Tensor,
    top: Tensor,
    log_total: Tensor,
    mean: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    needs: list[bool],
    class_start: int = 0,
) -> _Four:
    """The operation's results, of classes from ``class_start`` on."""
    drawn = Drawn(
        found.contiguous(), top, top, top.contiguous(), None, log_total.contiguous(), mean.contiguous()
    )
    of_hidden, of_weight, of_bias, of_tau = needs
    gradients = index.backward(
        hidden,
        weight,
        bias,
        mask,
        tau,
        drawn,
        log_prob_grad,
        entropy_grad,
        (of_hidden, of_weight, of_bias, of_tau),
        class_start=class_start,
    )
    a, b, c, d = (hidden.new_empty(0) if one is None else one for one in gradients)
    return a, b, c, d


def backward_fake(
    log_prob_grad: Tensor,
    entropy_grad: Tensor,
    found: Tensor,
    top: Tensor,
    log_total: Tensor,
    mean: Tensor,
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    needs: list[bool],
) -> _Four:
    """Shapes and dtypes of the operation's results."""
    likes = hidden, weight, bias, tau
    a, b, c, d = (
        torch.empty_like(like, memory_format=torch.contiguous_format)
        if need and like is not None
        else hidden.new_empty(0)
        for need, like in zip(needs, likes, strict=True)
    )
    return a, b, c, d


class _Gradient(torch.autograd.Function):
    """The gradients of a draw, which have none of their own."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Any) -> _Four:
        found: _Four = torch.ops.softdraw.vocabulary_index_backward(*inputs)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: _Four) -> None:
        pass

    @staticmethod
    def backward(ctx: Any, *_: Any) -> None:
        raise RuntimeError(
            "softdraw.vocabulary.gumbel_max: got the gradient of its gradient, which its tiles do not do; "
            "expected one derivative: for more take log_softmax((hidden @ weight.T + bias) / tau) at the "
            "index, which makes the logits"
        )


class _Draw(torch.autograd.Function):
    """A draw with log probabilities and entropies, which have gradients."""

    generate_vmap_rule = True

    @staticmethod
    def forward(*inputs: Any) -> _Six:
        found: _Six = torch.ops.softdraw.vocabulary_index(*inputs, True)
        return found

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: _Six) -> None:
        *used, _, _ = inputs
        found, _, _, *known = output
        ctx.mark_non_differentiable(found, *known)
        keep(ctx, found, *known, *used)

    @staticmethod
    def backward(
        ctx: Any, _: Any, log_prob_grad: Tensor, entropy_grad: Tensor, *__: Any
    ) -> tuple[Tensor | None, ...]:
        needs = [bool(ctx.needs_input_grad[place]) for place in _LEARNED]
        inputs = (log_prob_grad, entropy_grad, *kept(ctx), needs)
        if torch.compiler.is_compiling():  # no graph is differentiated twice, and dynamo cannot nest these
            found = torch.ops.softdraw.vocabulary_index_backward(*inputs)
        else:
            found = _Gradient.apply(*inputs)  # type: ignore[no-untyped-call]
        result: list[Tensor | None] = [None] * 7
        for place, need, one in zip(_LEARNED, needs, found, strict=True):
            result[place] = one if need else None
        return tuple(result)


_key = "CompositeExplicitAutograd"
_name = "softdraw::vocabulary_index"
_library.impl("vocabulary_index", _draw, _key)  # type: ignore[no-untyped-call]
_library.impl("vocabulary_index_backward", backward, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "vocabulary_index", _draw_fake)
register_fake(_library, "vocabulary_index_backward", backward_fake)
torch.library.register_vmap(_name, one_by_one("vocabulary_index"), lib=_library)
torch.library.register_vmap(f"{_name}_backward", one_by_one("vocabulary_index_backward"), lib=_library)


def draw(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    samples: int,
    measured: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Indices and log probabilities ``[samples, rows]``, and entropies ``[rows]``; see ``index.forward``.

    ``state`` is the key as a tensor. Without ``measured`` there are only indices. A row without an allowed
    class has log probability 0 and entropy 0, one with a logit of NaN or ``+inf`` NaN; no gradient comes from
    either.
    """
    inputs = hidden, weight, bias, mask, tau, state, samples
    if measured:
        found, log_prob, entropy, *_ = _Draw.apply(*inputs)  # type: ignore[no-untyped-call]
    else:
        found, log_prob, entropy, *_ = torch.ops.softdraw.vocabulary_index(*inputs, False)
    return found, log_prob, entropy
