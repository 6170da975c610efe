"""The probabilities of Plackett and Luce's law: of an order, of a set, and of being among the k.

All take logits as ``x`` ``[*batch, n]`` in a wide dtype, ``-inf`` for what is not allowed. The law is that
of a race: item i arrives after an exponential time of rate w_i = exp(x_i), and the first k are taken in
order. What is said of a set is an integral over the logarithm of the time, whose integrand is analytic and
falls off on both sides, so that the trapezoidal rule converges geometrically.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from softdraw._torch import is_readable

__all__ = ["inclusion", "order_log_prob", "set_log_prob"]

#: how far below the lowest logit something stands that is not there: exp(-800) is nothing to the others
_ABSENT = 800.0
#: nodes of the integral over a set's time
_SET_NODES = 192
#: how far log t is from start to end where values are not read
_SPAN = 90.0
#: arrivals later than this many mean times do not happen, in a double
_LATE = 700.0


def _centred(x: Tensor) -> tuple[Tensor, Tensor]:
    """X less its maximum, with what is absent below all others; and that level ``[*, 1]``."""
    there = x > -torch.inf
    top = x.detach().amax(-1, keepdim=True)
    x = torch.where(there, x - torch.where(top.isfinite(), top, 0.0), 0.0)
    absent = torch.where(there, x.detach(), 0.0).amin(-1, keepdim=True) - _ABSENT
    return torch.where(there, x, absent), absent


def order_log_prob(x: Tensor, index: Tensor) -> Tensor:
    """Log probability ``[*]`` of the orders ``index`` ``[*, k]``; -1 after the last is nothing.

    Σ_j x_{i_j} - log Σ exp(x) over what is left before the j-th, the sums taken from the last to the first.
    """
    x, absent = _centred(x)
    x = x.expand(*index.shape[:-1], x.shape[-1])
    some = index >= 0
    place = index.clamp(min=0)
    taken = torch.where(some, x.gather(-1, place), absent)
    # One column more takes what is no item.
    free = torch.ones((*x.shape[:-1], x.shape[-1] + 1), dtype=torch.bool, device=x.device)
    free = free.scatter(-1, torch.where(some, index, x.shape[-1]), False)[..., :-1]
    rest = torch.where(free, x, absent).logsumexp(-1, keepdim=True)
    left = torch.cat((rest, taken.flip(-1)), -1).logcumsumexp(-1)[..., 1:].flip(-1)
    return torch.where(some, taken - left, 0.0).sum(-1)


def set_log_prob(x: Tensor, chosen: Tensor, k: int) -> Tensor:
    """Log probability ``[*]`` that the first to arrive are the set ``chosen``: boolean ``[*, n]``, at most k.

    With W the rate of all others, p = ∫ Π_{i in S} (1 - exp(-w_i t)) W exp(-W t) dt. In log t the logarithm
    of the integrand is concave: its mode and the points where it has fallen by 40 are found by halving.
    """
    there = x > -torch.inf
    x, absent = _centred(x)
    x = x.expand(chosen.shape)
    free = there & ~chosen
    rate = torch.where(free, x, absent).logsumexp(-1, keepdim=True)
    index = chosen.to(torch.uint8).topk(k, dim=-1).indices if k else chosen.long()[..., :0]
    some = chosen.gather(-1, index)
    u = torch.where(some, x.gather(-1, index) - rate, 0.0)
    fixed = u.detach()

    def height(u: Tensor, s: Tensor) -> Tensor:
        """Of the logarithm of the integrand at s ``[*, nodes]``."""
        arrived = torch.where(some.unsqueeze(-2), _log_arrived(u.unsqueeze(-2) + s.unsqueeze(-1)), 0.0)
        return arrived.sum(-1) + s - s.clamp(max=math.log(_LATE)).exp()

    def slope(s: Tensor) -> Tensor:
        v = (fixed + s).clamp(max=math.log(_LATE)).exp()
        rise = torch.where(v > 1e-12, v / torch.expm1(v.clamp(min=1e-12)), 1.0)
        return torch.where(some, rise, 0.0).sum(-1, keepdim=True) + 1.0 - s.exp()

    low, high = torch.zeros_like(rate), torch.full_like(rate, math.log(k + 1.0))
    mode = _halved(lambda s: slope(s) > 0, low.detach(), high.detach())
    floor = height(fixed, mode) - 40.0
    low = _halved(lambda s: height(fixed, s) < floor, mode - 50.0, mode)
    high = _halved(lambda s: height(fixed, s) > floor, mode, mode + 8.0)
    nodes = torch.linspace(0.0, 1.0, _SET_NODES, dtype=x.dtype, device=x.device)
    s = low + (high - low) * nodes
    value = height(u, s).logsumexp(-1) + ((high - low) / (_SET_NODES - 1)).log().squeeze(-1)
    return torch.where(free.any(-1), value, 0.0)


def _log_arrived(u: Tensor) -> Tensor:
    """log(1 - exp(-exp(u)))."""
    early = u < -30.0
    v = torch.where(early, 0.0, u.clamp(max=math.log(_LATE))).exp()
    return torch.where(early, u, (-torch.expm1(-v)).log())


def _halved(is_left: Callable[[Tensor], Tensor], low: Tensor, high: Tensor) -> Tensor:
    """Where ``is_left`` changes from True to False."""
    for _ in range(40):
        middle = 0.5 * (low + high)
        left = is_left(middle)
        low, high = torch.where(left, middle, low), torch.where(left, high, middle)
    return 0.5 * (low + high)


def inclusion(x: Tensor, k: int) -> Tensor:
    """How probable it is that each item is among the first k, ``[*batch, n]``, to about 1e-12.

    Item i is when fewer than k of the others arrive before it: ∫ w_i t exp(-w_i t) P(fewer than k others by
    t) d log t. The counts of the others come from tables over the items before and after i. It takes some 100
    times n k operations and as much memory.
    """
    there = x > -torch.inf
    count = there.sum(-1, keepdim=True)
    if k == 0:
        return torch.where(there, x, 0.0) * 0.0
    x, _ = _centred(x)
    fixed = x.detach()
    # Long before the first arrival, and after the k-th is certain.
    start = torch.full_like(fixed[..., :1], -28.0)
    end = math.log(30.0 + math.log(k)) - fixed.topk(k, dim=-1).values[..., -1:]
    end = torch.where(count > k, end, 4.0)
    span = float((end - start).amax()) if x.is_cpu and is_readable(x) and x.numel() else _SPAN
    steps = math.ceil(span / _step(k)) + 1
    s = start + (end - start) * torch.linspace(0.0, 1.0, steps, dtype=x.dtype, device=x.device)
    h = (end - start) / (steps - 1)
    # [n, *batch, nodes]: the mean number of arrivals, and whether there was none
    v = (x.movedim(-1, 0).unsqueeze(-1) + s).clamp(max=math.log(_LATE)).exp()
    v = torch.where(there.movedim(-1, 0).unsqueeze(-1), v, 0.0)
    not_yet, arrived = torch.exp(-v), -torch.expm1(-v)
    n = x.shape[-1]
    row = torch.zeros((*s.shape, k), dtype=x.dtype, device=x.device)
    row = torch.cat((torch.ones_like(row[..., :1]), row[..., 1:]), -1)
    before = [row]
    for i in range(n - 1):
        before.append(_arrives(before[-1], arrived[i], not_yet[i]))
    # after: P(at most j of those behind), j = k - 1, ..., 0
    after, found = torch.ones_like(row), []
    for i in reversed(range(n)):
        few = (before[i] * after).sum(-1)
        found.append((v[i] * not_yet[i] * few * h).sum(-1))
        behind = torch.cat((after[..., 1:], torch.zeros_like(after[..., :1])), -1)
        after = not_yet[i].unsqueeze(-1) * after + arrived[i].unsqueeze(-1) * behind
    result = torch.stack(found[::-1], -1)
    return torch.where(count > k, result, there.to(x.dtype))


def _step(k: int) -> float:
    """The step at which the k-th arrival is resolved: its log time has the Fourier transform of a Gamma law.

    The error is |Γ(k + iω)| / Γ(k) at ω = 2π / step; where few of many are left out, the time of the last is
    that of a maximum, whose transform has fallen as far at 18 log(k).
    """
    frequency = 18.0 * math.log(k + 2.0)
    while frequency * math.atan(frequency / k) - 0.5 * k * math.log1p((frequency / k) ** 2) < 28.0:
        frequency *= 1.05
    return 2.0 * math.pi / frequency


def _arrives(row: Tensor, arrived: Tensor, not_yet: Tensor) -> Tensor:
    shifted = torch.cat((torch.zeros_like(row[..., :1]), row[..., :-1]), -1)
    return not_yet.unsqueeze(-1) * row + arrived.unsqueeze(-1) * shifted
