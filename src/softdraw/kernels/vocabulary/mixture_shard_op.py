"""What a rank makes of its part of a vocabulary's mixture, as operations that graphs carry.

The number of the part's first class is a tensor, because in a graph it comes from the other ranks.
"""

from typing import Any

import torch
from torch import Tensor

from softdraw._torch import register_fake
from softdraw.kernels.vocabulary import mixture, mixture_backward, mixture_op
from softdraw.kernels.vocabulary.mixture_draw import Draw

__all__ = ["mix_shard", "shard_gradient"]

_library = torch.library.Library("softdraw", "FRAGMENT")  # type: ignore[no-untyped-call]
_INPUTS = (
    "Tensor hidden, Tensor weight, Tensor? embedding, Tensor? bias, Tensor? mask, Tensor? row_tau, "
    "float tau, Tensor state, str estimator, bool hard, bool centred, Tensor start"
)
_library.define(f"vocabulary_mixture_shard({_INPUTS}) -> (Tensor, Tensor, Tensor)")  # type: ignore[no-untyped-call]
_library.define(  # type: ignore[no-untyped-call]
    "vocabulary_mixture_shard_backward(Tensor grad, Tensor index, Tensor centre, Tensor known, "
    f"Tensor winner, {_INPUTS}, bool[] needs) -> (Tensor, Tensor, Tensor, Tensor, Tensor)"
)


def _draw(
    row_tau: Tensor | None, tau: float, state: Tensor, estimator: str, hard: bool, start: Tensor
) -> Draw:
    seed, offset = state.tolist()
    return Draw(estimator, hard, tau, row_tau, (seed, offset), int(start))


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
    start: Tensor,
) -> tuple[Tensor, ...]:
    draw = _draw(row_tau, tau, state, estimator, hard, start)
    return mixture.forward(hidden, weight, embedding, bias, mask, draw, centred)[1:]


def _backward(
    grad: Tensor, index: Tensor, centre: Tensor, known: Tensor, winner: Tensor, *rest: Any
) -> tuple[Tensor, ...]:
    *inputs, row_tau, tau, state, estimator, hard, _, start, needs = rest
    draw = _draw(row_tau, tau, state, estimator, hard, start)
    hidden, weight, embedding, bias, mask = inputs
    given = grad, hidden, weight, embedding, bias, mask, draw, index, centre, known, tuple(needs)
    found = mixture_backward.backward(*given, winner=winner)
    return tuple(grad.new_empty(0) if one is None else one for one in found)


#: shapes are those of a whole vocabulary's operations
_shapes: Any = mixture_op.forward_fake
_gradient_shapes: Any = mixture_op.backward_fake


def _forward_fake(*inputs: Any) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = _shapes(*inputs[:-1], 0)
    return found[1:]


def _backward_fake(
    grad: Tensor, index: Tensor, centre: Tensor, known: Tensor, winner: Tensor, *rest: Any
) -> tuple[Tensor, ...]:
    found: tuple[Tensor, ...] = _gradient_shapes(grad, index, centre, known, *rest)
    return found


_key = "CompositeExplicitAutograd"
_library.impl("vocabulary_mixture_shard", _forward, _key)  # type: ignore[no-untyped-call]
_library.impl("vocabulary_mixture_shard_backward", _backward, _key)  # type: ignore[no-untyped-call]
register_fake(_library, "vocabulary_mixture_shard", _forward_fake)
register_fake(_library, "vocabulary_mixture_shard_backward", _backward_fake)


def mix_shard(*inputs: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Of the classes here: winners ``[rows]``, mixtures and the rows' states; see ``mixture.forward``."""
    found: tuple[Tensor, Tensor, Tensor] = torch.ops.softdraw.vocabulary_mixture_shard(*inputs)
    return found


def shard_gradient(*inputs: Any) -> tuple[Tensor, ...]:
    """The part of the gradients of hidden states and temperatures that comes from here, and those of the
    tables and the bias that are here.
    """
    found: tuple[Tensor, ...] = torch.ops.softdraw.vocabulary_mixture_shard_backward(*inputs)
    return found
