"""What a rank finds in its part of a vocabulary, as operations that graphs carry, and their backward.

The number of the part's first class is a tensor, because in a graph it comes from the other ranks.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import register_fake
from softdraw.kernels.formulas import wide
from softdraw.kernels.vocabulary import index, index_op
from softdraw.kernels.vocabulary.tiles import computed

__all__ = ["draw_shard", "shard_gradient"]

_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "vocabulary_index_shard(Tensor hidden, Tensor weight, Tensor? bias, Tensor? mask, Tensor tau, "
    "Tensor state, Tensor start, SymInt samples, bool measured) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)
_library.define(  # type: ignore[no-untyped-call]
    "vocabulary_index_shard_backward(Tensor log_prob_grad, Tensor entropy_grad, Tensor index, Tensor top, "
    "Tensor log_total, Tensor mean, Tensor hidden, Tensor weight, Tensor? bias, Tensor? mask, Tensor tau, "
    "Tensor start, bool[] needs) -> (Tensor, Tensor, Tensor, Tensor)"
)
_Five = tuple[Tensor, Tensor, Tensor, Tensor, Tensor]


def _draw(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    start: Tensor,
    samples: int,
    measured: bool,
) -> _Five:
    seed, offset = state.tolist()
    rest = tau, (seed, offset), samples, measured
    drawn = index.forward(hidden, weight, bias, mask, *rest, class_start=int(start))
    sums = drawn.top.new_zeros(0) if drawn.sums is None else drawn.sums
    return drawn.index, drawn.best, drawn.chosen, drawn.top, sums


def _draw_fake(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    mask: Tensor | None,
    tau: Tensor,
    state: Tensor,
    start: Tensor,
    samples: int,
    measured: bool,
) -> _Five:
    rows, dtype = hidden.shape[0], computed(hidden, weight)
    found = hidden.new_empty((samples, rows), dtype=torch.int64)
    best, chosen = (hidden.new_empty((samples, rows), dtype=dtype) for _ in range(2))
    sums = (
        hidden.new_empty((rows, 2), dtype=wide(hidden.device))
        if measured
        else hidden.new_empty(0, dtype=dtype)
    )
    return found, best, chosen, hidden.new_empty((rows,), dtype=dtype), sums


#: those of a whole vocabulary, called with what comes from the operation as it is
_gradient: Any = index_op.backward
_gradient_fake: Any = index_op.backward_fake


def _backward(*inputs: Any) -> tuple[Tensor, ...]:
    *known, start, needs = inputs
    found: tuple[Tensor, ...] = _gradient(*known, needs, class_start=int(start))
    return found


def _backward_fake(*inputs: Any) -> tuple[Tensor, ...]:
    *known, _, needs = inputs
    found: tuple[Tensor, ...] = _gradient_fake(*known, needs)
    return found


_key = "CompositeExplicitAutograd"
_library.impl("vocabulary_index_shard", _draw, _key)  # type: ignore[no-untyped-call]
_library.impl("vocabulary_index_shard_backward", _backward, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "vocabulary_index_shard", _draw_fake)
register_fake(_library, "vocabulary_index_shard_backward", _backward_fake)


def draw_shard(*inputs: Any) -> _Five:
    """Of the classes here: winners, their distances and logits ``[samples, rows]``, the largest logits
    ``[rows]``, and the sums of ``Drawn`` if they are measured; see ``index.forward``.
    """
    found: _Five = torch.ops.softdraw.vocabulary_index_shard(*inputs)
    return found


def shard_gradient(*inputs: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The part of the gradients of hidden states and temperatures that comes from here, and those of the
    weight and the bias that are here.
    """
    found: tuple[Tensor, Tensor, Tensor, Tensor] = torch.ops.softdraw.vocabulary_index_shard_backward(*inputs)
    return found
