"""The best class of rows whose classes are spread over ranks: one int64 a row and one reduction.

The high word holds the value in an order that integers have, the low word the complement of the class, so
that the lower class wins where values are equal, as it does in one process. float64 values fill the word and
take a second reduction for the class.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from softdraw.kernels.formulas import Scores
from softdraw.sharding.collectives import Axes, max_over

__all__ = ["MOST_CLASSES", "Winner", "winner_of", "winner_over"]

#: classes are counted by the low word
MOST_CLASSES = 1 << 32
_LOW = MOST_CLASSES - 1
#: no number is ordered as high or as low as these: NaN would be
_BAD = torch.iinfo(torch.int64).max
_NONE = torch.iinfo(torch.int64).min


class Winner(NamedTuple):
    """The winners ``[*]`` of rows: class (-1 where there is none), value, and whether the row holds NaN or
    +inf.
    """

    classes: Tensor
    value: Tensor
    bad: Tensor


def winner_of(drawn: Scores, start: int, axes: Axes) -> Winner:
    """The winners over all ranks of ``axes``, of whose classes this one has those from ``start`` on."""
    z = drawn.z.detach()
    # An allowed class may score -inf (a difference of logits that overflows), and outranks the others.
    ranked = torch.where(drawn.allowed, z.clamp(min=torch.finfo(z.dtype).min), -torch.inf)
    place = ranked.argmax(-1)  # the first of equals
    value = ranked.gather(-1, place.unsqueeze(-1)).squeeze(-1)
    return winner_over(value, place + start, ~drawn.allowed.any(-1), drawn.bad.squeeze(-1), axes)


def winner_over(value: Tensor, classes: Tensor, none: Tensor, bad: Tensor, axes: Axes) -> Winner:
    """The winners among those of each rank: a value and the number of a class, if there is one (``none``), in
    rows that are spoilt by NaN or ``+inf`` here (``bad``).
    """
    ordered = _ordered(torch.where(bad | none, 0.0, value))
    if value.dtype == torch.float32:
        code = ordered.to(torch.int64) << 32 | (_LOW - classes)
        code = max_over(torch.where(bad, _BAD, torch.where(none, _NONE, code)), axes)
        index, ordered = _LOW - (code & _LOW), (code >> 32).to(torch.int32)
    else:
        mine = torch.where(bad, _BAD, torch.where(none, _NONE, ordered))
        code = max_over(mine, axes)
        index, ordered = -max_over(torch.where(mine == code, -classes, _NONE), axes), code
    bad, none = code == _BAD, code == _NONE
    lost = bad | none
    best = torch.where(lost, 0.0, _unordered(torch.where(lost, 0, ordered), value.dtype))
    return Winner(torch.where(lost, -1, index), best, bad)


def _ordered(value: Tensor) -> Tensor:
    """The bits of floats as integers in the same order; no NaN, and both zeros are equal."""
    kind = torch.int32 if value.dtype == torch.float32 else torch.int64
    bits = torch.where(value == 0, 0.0, value).contiguous().view(kind)
    return torch.where(bits < 0, bits ^ torch.iinfo(kind).max, bits)


def _unordered(bits: Tensor, dtype: torch.dtype) -> Tensor:
    """The floats of such integers."""
    bits = torch.where(bits < 0, bits ^ torch.iinfo(bits.dtype).max, bits)
    return bits.contiguous().view(dtype)
