"""The Triton programs of a vocabulary's mixture: what is done to a tile of logits, one row a program.

The definition is ``kernels.vocabulary.mixture_formulas``, whose names these are; the numbers of a row's state
lie in its order (base, best, top, total, total at 1, weighted, count, bad).
"""

# Programs take untyped pointers and numbers; arguments in capitals are constants of the compilation.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# ruff: noqa: N803

import triton
import triton.language as tl

from softdraw.kernels.triton.programs import WORDS, _noise

#: of one type for every tile, or each might compile anew
_NUMBERS = [*WORDS, "class_start", "stride"]


@triton.jit
def _logits(
    values, bias, mask, place, c, inside, row, stride, base,
    BIAS: tl.constexpr, MASKED: tl.constexpr, LARGEST: tl.constexpr,
):  # fmt: skip
    """Logit and bias less the base; what is finite stays so, -inf where a class is not allowed."""
    x = tl.load(values + place, mask=inside, other=-float("inf"))
    if BIAS:
        x += tl.load(bias + c, mask=inside, other=0.0)
    if MASKED:
        allowed = tl.load(mask + row * stride + c, mask=inside, other=0)
        x = tl.where(allowed != 0, x, -float("inf"))
    return tl.where(tl.abs(x) < float("inf"), tl.minimum(tl.maximum(x - base, -LARGEST), LARGEST), x)


@triton.jit
def _fallen(x, top, rate, LARGEST: tl.constexpr):
    """(x - top) * rate, -inf where a class is not allowed."""
    return tl.where(x == -float("inf"), x, tl.maximum(x - top, -LARGEST) * rate)


@triton.jit(do_not_specialize=_NUMBERS)
def forward(
    values, second, bias, mask, tau, state, index, factor, classes, class_start: tl.int64, stride: tl.int64,
    k0: tl.uint32, k1: tl.uint32, offset_low: tl.uint32, offset_high: tl.uint32,
    BIAS: tl.constexpr, MASKED: tl.constexpr, FIRST: tl.constexpr, NOISY: tl.constexpr, QUIET: tl.constexpr,
    SECOND: tl.constexpr, LARGEST: tl.constexpr, BASES: tl.constexpr, DOUBLE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One row of a tile: its logits become weights, and what is known of the row is brought up to date."""
    inf = float("inf")
    kind = tl.float64 if DOUBLE else tl.float32
    row = tl.program_id(0).to(tl.int64)
    known = state + row * 8
    if FIRST:
        few = tl.arange(0, BASES).to(tl.int64)
        there, place_of_few = few < classes, row * classes + few
        start = _logits(
            values, bias, mask, place_of_few, few, there, row, stride, 0.0, BIAS, MASKED, LARGEST
        )  # fmt: skip
        largest = tl.max(tl.where(start == start, start, inf), 0)  # inf for NaN, too
        base = tl.where(tl.abs(largest) < inf, largest, 0.0)
        tl.store(known, base.to(state.dtype.element_ty))
    else:
        base = tl.load(known).to(kind)
    best_before = tl.load(known + 1)
    before = tl.load(known + 2)
    weighted = tl.load(known + 5)

    # words come in blocks of four classes, so the first piece begins at a multiple of four
    begin = class_start // 4 * 4
    skipped = begin - class_start
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    best, highest = tl.full((), -inf, kind), tl.full((), -inf, kind)
    found = tl.zeros((), tl.int64)
    odd, count = tl.zeros((), tl.int32), tl.zeros((), tl.int64)
    for piece in range(0, classes - skipped, BLOCK):
        c = skipped + piece + lanes
        inside = (c >= 0) & (c < classes)
        place = row * classes + c
        x = _logits(values, bias, mask, place, c, inside, row, stride, base, BIAS, MASKED, LARGEST)
        odd += tl.sum(((x != x) | (x == inf)).to(tl.int32), 0)
        count += tl.sum((x > -inf).to(tl.int64), 0)
        z = x
        if not QUIET:
            z += _noise(begin + piece, row, row * 0, k0, k1, offset_low, offset_high, 0, DOUBLE, BLOCK)
        z = tl.where(inside & (z == z), z, -inf)
        here = tl.max(z, 0)
        first = tl.min(tl.where(inside & (z == here), c, 0x7FFFFFFFFFFFFFFF), 0)
        found = tl.where(here > best, first, found)
        best = tl.maximum(best, here)
        kept = z if NOISY else tl.where(x == x, x, -inf)
        highest = tl.maximum(highest, tl.max(kept, 0))
        tl.store(values + place, kept, mask=inside)
    tl.debug_barrier()  # other threads may read what these wrote

    better = best.to(best_before.dtype) > best_before
    tl.store(known + 1, tl.where(better, best.to(best_before.dtype), best_before))
    tl.store(index + row, tl.where(better, found + class_start, tl.load(index + row)))
    tl.store(known + 6, tl.load(known + 6) + count)
    bad = tl.where(odd > 0, 1.0, tl.load(known + 7))
    tl.store(known + 7, bad)
    nothing = (bad != 0.0) | (highest == -inf)
    top = tl.where(nothing, before, tl.maximum(before, highest.to(before.dtype)))
    tl.store(known + 2, top)

    rate = tl.minimum(1.0 / tl.load(tau + row), LARGEST).to(kind)  # 0 where tau is infinite
    empty = before == -inf
    fall = tl.maximum(tl.where(before == top, 0.0, before - top).to(kind), -LARGEST)
    moved = tl.maximum(fall * rate, -LARGEST)
    worth, worth_at_one = tl.where(empty, 1.0, tl.exp(moved)), tl.where(empty, 1.0, tl.exp(fall))
    tl.store(factor + row * 2, worth)
    tl.store(factor + row * 2 + 1, worth_at_one)
    total, total_at_one = tl.load(known + 3), tl.load(known + 4)
    shifted = worth.to(total.dtype) * (weighted + tl.where(empty, 0.0, moved).to(total.dtype) * total)
    weighted = tl.where(worth > 0.0, shifted, 0.0)
    total *= worth.to(total.dtype)
    total_at_one *= worth_at_one.to(total.dtype)

    column = tl.where(top == -inf, 0.0, top).to(kind)
    for piece in range(0, classes, BLOCK):
        c = piece + lanes
        inside = c < classes
        place = row * classes + c
        x = tl.load(values + place, mask=inside, other=-inf)
        x = tl.where(nothing, -inf, x)
        if SECOND:
            weight = tl.exp(_fallen(x, column, 1.0, LARGEST))
            total_at_one += tl.sum(weight, 0).to(total.dtype)
            tl.store(second + place, weight, mask=inside)
        scaled = _fallen(x, column, rate, LARGEST)
        weight = tl.exp(scaled)
        total += tl.sum(weight, 0).to(total.dtype)
        weighted += tl.sum(tl.where(weight > 0.0, weight * scaled, 0.0), 0).to(total.dtype)
        tl.store(values + place, weight, mask=inside)
    tl.store(known + 3, total)
    tl.store(known + 4, total_at_one)
    tl.store(known + 5, weighted)


@triton.jit(do_not_specialize=_NUMBERS)
def backward(
    values, grad, bias, mask, tau, state, index, means, tau_grad, classes, class_start: tl.int64,
    stride: tl.int64, k0: tl.uint32, k1: tl.uint32, offset_low: tl.uint32, offset_high: tl.uint32,
    BIAS: tl.constexpr, MASKED: tl.constexpr, NOISY: tl.constexpr, REINMAX: tl.constexpr,
    SECOND: tl.constexpr, WEIGHTS: tl.constexpr, SLOPES: tl.constexpr, LARGEST: tl.constexpr,
    DOUBLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One row of a tile: its logits become their gradient."""
    inf = float("inf")
    kind = tl.float64 if DOUBLE else tl.float32
    row = tl.program_id(0).to(tl.int64)
    known = state + row * 8
    winner = tl.load(index + row)
    lost = winner < 0
    t = tl.load(tau + row)
    rate = tl.minimum(1.0 / t, LARGEST).to(kind)
    # The halves of it, because the difference of two gradients may overflow where the result does not.
    twice = tl.where(t == 0.0, 0.0, tl.minimum(2.0 / t, LARGEST)).to(kind)
    base = tl.load(known).to(kind)
    top = tl.where(lost, 0.0, tl.load(known + 2)).to(kind)
    share = tl.where(lost, 0.0, 1.0 / tl.load(known + 3)).to(kind)
    share_at_one = tl.where(lost, 0.0, 1.0 / tl.load(known + 4)).to(kind)
    mean = tl.load(means + row * 3).to(kind)
    mean_at_one = tl.load(means + row * 3 + 1).to(kind)
    own = tl.load(means + row * 3 + 2).to(kind)
    begin = class_start // 4 * 4
    skipped = begin - class_start
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    slope = tl.zeros((), state.dtype.element_ty)
    for piece in range(0, classes - skipped, BLOCK):
        c = skipped + piece + lanes
        inside = (c >= 0) & (c < classes)
        place = row * classes + c
        x = _logits(values, bias, mask, place, c, inside, row, stride, base, BIAS, MASKED, LARGEST)
        if NOISY:
            x += _noise(begin + piece, row, row * 0, k0, k1, offset_low, offset_high, 0, DOUBLE, BLOCK)
        x = tl.where(lost | (x == -inf), -inf, x)
        p = tl.exp(_fallen(x, top, rate, LARGEST)) * share
        g = tl.load(grad + place, mask=inside, other=0.0)
        won = c + class_start == winner
        if REINMAX:
            other = p
            if SECOND:
                other = tl.exp(_fallen(x, top, 1.0, LARGEST)) * share_at_one
            relative, middle = g - own, 0.5 * (mean - own)
            d = p * (relative - middle) - 0.5 * other * (relative - (mean_at_one - own))
            d -= tl.where(won, middle, 0.0)
        else:
            d = p * (0.5 * g - 0.5 * mean) * twice
            if SLOPES:
                below = tl.maximum(x - top, -LARGEST)
                slope += tl.sum(tl.where(inside, d * below, 0.0), 0).to(slope.dtype)
        tl.store(values + place, tl.where(lost, 0.0, d), mask=inside)
        if WEIGHTS:
            if NOISY:  # at tau = 0 the winner's one-hot, also where two are best
                p = tl.where(t == 0.0, tl.where(won, 1.0, 0.0), p)
            tl.store(grad + place, p, mask=inside)
    if SLOPES:
        slope = tl.where((t == 0.0) | (t == inf) | lost, 0.0, slope / t)
        tl.store(tau_grad + row, tl.load(tau_grad + row) - slope)
