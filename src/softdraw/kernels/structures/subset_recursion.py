"""The recursion of k-subsets in plain PyTorch: the definition, and what runs without the C loops.

Items are taken with probability p_i = sigmoid(x_i - shift) at a shift for which about k are expected. Then
P(k are taken) has the recursion P_i(j) = q_i P_{i-1}(j) + p_i P_{i-1}(j - 1), whose terms are positive and at
most 1, and log e_k(exp x) = log P_n(k) + k shift - sum log q_i, whatever the shift: no logarithm is summed
and nothing cancels.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad, softplus

from softdraw.kernels import dispatch

__all__ = ["Items", "backwards", "items_of", "plain_sum", "sums", "walk"]


class Items(NamedTuple):
    """Rows ``[rows, n]``: probabilities to be taken and not, and what makes log e_k of P(k)."""

    p: Tensor
    q: Tensor
    rest: Tensor
    few: Tensor
    bad: Tensor


def items_of(x: Tensor, k: int) -> Items:
    """The rows of x in that form."""
    x = x.detach().reshape(-1, x.shape[-1])
    shift = _shift(x, k)
    bad = (torch.isnan(x) | (x == torch.inf)).any(-1)
    few = ((x > -torch.inf).sum(-1) < k) & ~bad
    y = torch.where((few | bad).unsqueeze(-1), 0.0, x - shift)
    rest = k * shift.squeeze(-1) + softplus(y).sum(-1)
    return Items(torch.sigmoid(y), torch.sigmoid(-y), rest, few, bad)


def _shift(x: Tensor, k: int) -> Tensor:
    """Where about k are expected, ``[*, 1]``: found by halving, since any shift is right."""
    inside = (x > -torch.inf) & (x < torch.inf)
    low = torch.where(inside, x, torch.inf).amin(-1, keepdim=True) - 40.0
    high = torch.where(inside, x, -torch.inf).amax(-1, keepdim=True) + 40.0
    some = inside.any(-1, keepdim=True)
    low, high = torch.where(some, low, 0.0), torch.where(some, high, 0.0)
    for _ in range(48):
        middle = 0.5 * (low + high)
        over = torch.sigmoid(x - middle).sum(-1, keepdim=True) > k
        low, high = torch.where(over, middle, low), torch.where(over, high, middle)
    return 0.5 * (low + high)


def sums(items: Items, k: int) -> Tensor:
    """Log e_k of each row: ``-inf`` where there are too few items, NaN for a bad row."""
    programs = dispatch.programs_of(items.p)
    found = None if programs is None else programs.subsets(items.p, items.q, k, None, wanted=False)
    if found is not None:
        mass = found[0]
    else:
        row = _start(items, k)
        for i in range(items.p.shape[-1]):
            row = _take(row, items.p[:, i : i + 1], items.q[:, i : i + 1])
        mass = row[:, k]
    value = torch.where(items.few, -torch.inf, mass.log() + items.rest)
    return torch.where(items.bad, torch.nan, value)


def _start(items: Items, k: int) -> Tensor:
    row = items.p.new_zeros(items.p.shape[0], k + 1)
    row[:, 0] = 1.0
    return row


def _take(row: Tensor, p: Tensor, q: Tensor) -> Tensor:
    return q * row + p * pad(row, (1, 0))[..., :-1]


def _tables(items: Items, k: int, v: Tensor | None) -> Iterator[tuple[int, Tensor, Tensor]]:
    """From the last item to the first: which, the row before it and that one's derivative along v.

    Of n rows about 2 sqrt(n) are kept at a time; the others are made again.
    """
    n = items.p.shape[-1]
    stride = max(1, math.isqrt(n))

    def step(i: int, state: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        row, slope = state
        p, q = items.p[:, i : i + 1], items.q[:, i : i + 1]
        if v is not None:
            slope = _take(slope, p, q) + p * v[:, i : i + 1] * pad(row, (1, 0))[..., :-1]
        return _take(row, p, q), slope

    first = _start(items, k)
    state, kept = (first, torch.zeros_like(first)), []
    for i in range(n):
        if i % stride == 0:
            kept.append(state)
        state = step(i, state)
    yield n, *state
    for block in reversed(range(len(kept))):
        begin = block * stride
        rows = [kept[block]]
        for i in range(begin, min(begin + stride, n) - 1):
            rows.append(step(i, rows[-1]))
        for i in reversed(range(len(rows))):
            yield begin + i, *rows[i]


def backwards(items: Items, k: int, v: Tensor | None) -> Tensor:
    """The marginals, or with a direction v their derivative."""
    programs = dispatch.programs_of(items.p)
    found = None if programs is None else programs.subsets(items.p, items.q, k, v, wanted=True)
    out = _backwards(items, k, v) if found is None else found[1]
    none = (items.few | items.bad).unsqueeze(-1)
    return torch.where(none, torch.where(items.bad, torch.nan, 0.0).unsqueeze(-1).to(out.dtype), out)


def _backwards(items: Items, k: int, v: Tensor | None) -> Tensor:
    tables = _tables(items, k, v)
    _, last, change = next(tables)
    mass, drift = last[:, k], change[:, k]
    back, tangent = torch.zeros_like(last), torch.zeros_like(last)
    back[:, k] = 1.0
    out = torch.zeros_like(items.p)
    for i, row, slope in tables:
        p, q = items.p[:, i : i + 1], items.q[:, i : i + 1]
        after = pad(back, (0, 1))[:, 1:]
        share = items.p[:, i] * (row * after).sum(-1) / mass
        if v is None:
            out[:, i] = share.clamp(max=1.0)
        else:
            behind, w = pad(tangent, (0, 1))[:, 1:], v[:, i : i + 1]
            moved = (row * behind + slope * after).sum(-1)
            out[:, i] = share * (v[:, i] - drift / mass) + items.p[:, i] * moved / mass
            tangent = q * tangent + p * (behind + w * after)
        back = q * back + p * after
    return out


def walk(items: Items, k: int, u: Tensor) -> Tensor:
    """Draws ``[samples, rows, n]`` from uniforms, from the last item to the first."""
    tables = _tables(items, k, None)
    _, after, _ = next(tables)
    left = torch.full(u.shape[:-1], k, dtype=torch.int64, device=u.device)
    out = torch.zeros(u.shape, dtype=items.p.dtype, device=u.device)
    for i, row, _ in tables:
        now = after.expand(u.shape[0], *after.shape).gather(-1, left.unsqueeze(-1)).squeeze(-1)
        before = row.expand(u.shape[0], *row.shape)
        before = before.gather(-1, (left - 1).clamp(min=0).unsqueeze(-1)).squeeze(-1)
        chosen = (left > 0) & ((left > i) | (u[..., i] * now < items.p[:, i] * before))
        out[..., i] = chosen.to(out.dtype)
        left, after = left - chosen.long(), row
    none = torch.where(items.bad, torch.nan, 0.0).unsqueeze(-1).to(out.dtype)
    return torch.where((items.few | items.bad).unsqueeze(-1), none, out)


def plain_sum(x: Tensor, k: int) -> Tensor:
    """``log_partition`` as differentiable PyTorch, which keeps n k numbers: for third derivatives."""
    shift = _shift(x.detach(), k)
    y = x - shift
    p, q = torch.sigmoid(y), torch.sigmoid(-y)
    row = torch.cat((torch.ones_like(p[..., :1]), torch.zeros_like(p[..., :1]).expand(*p.shape[:-1], k)), -1)
    for i in range(x.shape[-1]):
        row = _take(row, p[..., i : i + 1], q[..., i : i + 1])
    mass = row[..., k]
    return torch.where(mass > 0, mass, 1.0).log() + k * shift.squeeze(-1) + softplus(y).sum(-1)
