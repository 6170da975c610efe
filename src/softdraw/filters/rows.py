"""What every filter does with a row: read it, leave alone one that no filter can judge, keep the few best."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from softdraw.arguments import check_classes, check_floating, read_mask, sizes_of, wrong_type, wrong_value
from softdraw.kernels.fast_path import is_plain
from softdraw.kernels.formulas import allowed_classes, compute_dtype

__all__ = ["Rows", "first_largest", "per_row", "read", "running_sum", "wide"]

#: a probability as a whole number of these: a sum of whole numbers is the same in every order
_STEPS = 2.0**52


class Rows(NamedTuple):
    """Logits ``values`` with ``-inf`` where a class is not ``allowed``; ``bad`` marks (last dim of 1) the
    rows whose allowed logits hold NaN or ``+inf``.
    """

    values: Tensor
    allowed: Tensor
    bad: Tensor

    def keep(self, kept: Tensor) -> Tensor:
        """The mask: what is kept of what is allowed, and all of it in a bad row."""
        return self.allowed & (kept | self.bad)


def read(logits: Tensor, mask: Tensor | None) -> Rows:
    """The rows of ``logits`` (classes last) under the mask of the filters before.

    Raises:
        TypeError: logits that are not floating, or a mask that is not boolean.
        ValueError: no classes, or a mask that does not fit.
    """
    check_classes("logits", logits)
    x = logits.detach()
    allowed = allowed_classes(x, read_mask(mask, logits))
    values = torch.where(allowed, x, -torch.inf)
    top = values.amax(-1, keepdim=True)  # NaN and +inf reach it
    return Rows(values, allowed, torch.isnan(top) | (top == torch.inf))


def wide(x: Rows) -> Tensor:
    """The values in the dtype that is computed in."""
    return x.values.to(compute_dtype(x.values.dtype))


def per_row(
    name: str, value: object, logits: Tensor, read_one: Callable[[str, object], float], *, whole: bool = False
) -> float | Tensor:
    """A parameter of a filter: what ``read_one`` reads, or a tensor with a value a row, as ``[*, 1]``.

    A tensor is float64 (int64 where ``whole``) and lies with the logits. Its values are read by ``read_one``
    too, at the least and the largest, where looking waits for no device and breaks no graph.

    Raises:
        TypeError: neither a number nor a tensor of numbers.
        ValueError: out of bounds, or of a shape that has no value a row.
    """
    if not isinstance(value, Tensor):
        return read_one(name, value)
    if not whole:
        check_floating(name, value)
    elif value.dtype.is_floating_point or value.dtype.is_complex or value.dtype == torch.bool:
        raise wrong_type(name, value, "an int, or a tensor of ints")
    if value.device.type == "cpu" and is_plain(value) and value.numel():
        for end in (value.min(), value.max()):
            read_one(name, end.item())
    column = value if value.dim() == logits.dim() and sizes_of(value)[-1] == 1 else value.unsqueeze(-1)
    batch = sizes_of(logits)[:-1]
    try:
        column.expand((*batch, 1))
    except RuntimeError:
        expected = f"a number, or a tensor that broadcasts to the batch shape {tuple(batch)}"
        raise wrong_value(name, value, expected) from None
    kind = torch.int64 if whole else torch.float32 if logits.device.type == "mps" else torch.float64
    return column.to(logits.device, kind)


def first_largest(values: Tensor, count: int) -> Tensor:
    """Where the ``count`` largest of each row are, of equals the lower ones."""
    count = min(count, sizes_of(values)[-1])
    edge = values.topk(count, -1).values[..., -1:]
    above, at = values > edge, values == edge
    return above | (at & (at.cumsum(-1) <= count - above.sum(-1, keepdim=True)))


def running_sum(probs: Tensor) -> Tensor:
    """Sums of probabilities up to each class, which do not depend on the other rows of the batch.

    On the CPU ``cumsum`` sums each row from left to right in float64. On a card the order of its sums follows
    the number of rows, so whole numbers are summed there.
    """
    if probs.device.type in ("cpu", "mps") or probs.dtype == torch.float64:
        return probs.cumsum(-1)
    return whole_sum(probs)


def whole_sum(probs: Tensor) -> Tensor:
    """``running_sum`` in whole numbers of 2^-52."""
    return (probs.double() * _STEPS).long().cumsum(-1).double().div(_STEPS).to(probs.dtype)
