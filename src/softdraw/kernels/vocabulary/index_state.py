"""What the tiles of a draw of an index share: what is known of each row, and what gradients come to it."""

from typing import NamedTuple

from torch import Tensor

__all__ = ["Drawn", "Upstream"]


class Drawn(NamedTuple):
    """What is known of each row, of all tiles so far. Distances are to the largest logit, ``top``.

    Attributes:
        index: int64 ``[samples, rows]``, the winner; -1 for none.
        best: ``[samples, rows]``, the distance of its perturbed logit.
        chosen: ``[samples, rows]``, its logit.
        top: ``[rows]``, the largest logit; NaN for a row with NaN or ``+inf``, ``-inf`` without an allowed
            class.
        sums: ``[rows, 2]``, the sum of exp(distance) and of distance times that; or None where nobody asks.
        log_total: ``[rows]``, log of the first sum, once all tiles are known and somebody asks.
        mean: ``[rows]``, the second divided by the first: minus the entropy, plus ``log_total``.
    """

    index: Tensor  # type: ignore[assignment] # a tuple has a method of this name
    best: Tensor
    chosen: Tensor
    top: Tensor
    sums: Tensor | None
    log_total: Tensor
    mean: Tensor


class Upstream(NamedTuple):
    """Gradients of what was drawn.

    Attributes:
        picked: ``[samples, rows]``, of each log probability.
        total: ``[rows]``, their sum.
        spread: ``[rows]``, of the entropy.
        along: ``[rows]`` float64, to which each tile adds (gradient of the logit) x (distance); or None.
    """

    picked: Tensor
    total: Tensor
    spread: Tensor
    along: Tensor | None
