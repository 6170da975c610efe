"""The Triton programs. The counter's layout is that of ``softdraw.kernels.layout``."""

# Programs take untyped pointers and numbers; arguments in capitals are constants of the compilation.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# ruff: noqa: N803

import os

import triton
import triton.language as tl

try:
    from triton import knobs
except ImportError:  # before Triton 3.4
    INTERPRETED: bool = os.environ.get("TRITON_INTERPRET", "0") == "1"
else:
    INTERPRETED = bool(knobs.runtime.interpret)
#: of one type for every key, or each new key might compile anew
WORDS = ["k0", "k1", "offset_low", "offset_high"]


@triton.jit
def _words(block, low, high, sample, k0, k1):
    """Philox-4x32-10 at each counter: words of four classes for each block, in the order of the classes."""
    c0, c1, c2, c3 = block, low, high, sample
    for _ in tl.static_range(10):
        h0, l0 = tl.umulhi(c0, 0xD2511F53), c0 * 0xD2511F53
        h1, l1 = tl.umulhi(c2, 0xCD9E8D57), c2 * 0xCD9E8D57
        c0, c1, c2, c3 = h1 ^ c1 ^ k0, l1, h0 ^ c3 ^ k1, l0
        k0 = k0 + 0x9E3779B9
        k1 = k1 + 0xBB67AE85
    return tl.interleave(tl.interleave(c0, c2), tl.interleave(c1, c3))


@triton.jit
def _minus_log1m(p):
    """-log(1 - p) for p in (0, 1/2], accurate near 0 (Kahan's log1p; Higham 2002, problem 1.5)."""
    v = 1.0 - p
    # v == 1 only for tiny p, where -log(1 - p) is p; elsewhere the quotient cancels the rounding of v
    safe = tl.where(v == 1.0, 0.5, v)
    return tl.where(v == 1.0, p, -tl.log(safe) * (p / (1.0 - safe)))


@triton.jit
def _noise(
    start, row, sample, k0, k1, offset_low, offset_high,
    LAW: tl.constexpr, DOUBLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Noise of ``BLOCK`` classes from ``start`` (a multiple of four) in one row of one sample."""
    low = (row + offset_low.to(tl.int64)).to(tl.uint64)
    row_low = low.to(tl.uint32)
    row_high = ((low >> 32) + offset_high.to(tl.uint64)).to(tl.uint32)
    block = (start // 4 + tl.arange(0, BLOCK // 4).to(tl.int64)).to(tl.uint32)
    c1 = tl.zeros_like(block) + row_low
    c2 = tl.zeros_like(block) + row_high
    c3 = tl.zeros_like(block) + sample.to(tl.uint32)
    key0 = tl.zeros_like(block) + k0.to(tl.uint32)
    key1 = tl.zeros_like(block) + k1.to(tl.uint32)
    word = _words(block, c1, c2, c3, key0, key1)
    upper = word >= 0x80000000
    m = tl.where(upper, word ^ 0xFFFFFFFF, word)
    if DOUBLE:
        fine = _words(block | 0x80000000, c1, c2, c3, key0, key1)
        n = tl.where(upper, fine ^ 0xFFFFFFFF, fine)
        p = m.to(tl.float64) * 2.3283064365386963e-10 + (n.to(tl.float64) + 0.5) * 5.421010862427522e-20
        last = 0.9999999999999999
    else:
        p = (m.to(tl.float32) + 0.5) * 2.3283064365386963e-10
        # one element in 32,768 needs its low word, so most blocks go without
        if tl.max((m < 65536).to(tl.int32), 0) > 0:
            fine = _words(block | 0x80000000, c1, c2, c3, key0, key1)
            n = tl.where(upper, fine ^ 0xFFFFFFFF, fine)
            near = (
                m.to(tl.float32) * 2.3283064365386963e-10 + (n.to(tl.float32) + 0.5) * 5.421010862427522e-20
            )
            p = tl.where(m < 65536, near, p)
        last = 0.9999999403953552
    if LAW == 3:
        result = tl.where(upper, tl.minimum(1.0 - p, last), p)
    else:
        minus_log, minus_log1m = -tl.log(p), _minus_log1m(p)
        if LAW == 1:
            size = minus_log - minus_log1m
            result = tl.where(upper, size, -size)
        else:
            e = tl.where(upper, minus_log, minus_log1m)
            result = e if LAW == 2 else -tl.log(e)
    return result


@triton.jit(do_not_specialize=[*WORDS, "class_start"])
def noise(
    out,
    rows,
    classes,
    class_start: tl.int64,
    k0: tl.uint32,
    k1: tl.uint32,
    offset_low: tl.uint32,
    offset_high: tl.uint32,
    LAW: tl.constexpr,
    DOUBLE: tl.constexpr,
    BLOCK: tl.constexpr,
):
    """One piece of one row of noise, whose first class is number ``class_start``."""
    place = tl.program_id(0).to(tl.int64)
    start = class_start // 4 * 4 + tl.program_id(1).to(tl.int64) * BLOCK
    c = start - class_start + tl.arange(0, BLOCK)
    drawn = _noise(start, place % rows, place // rows, k0, k1, offset_low, offset_high, LAW, DOUBLE, BLOCK)
    tl.store(out + place * classes + c, drawn, mask=(c >= 0) & (c < classes))


@triton.jit
def _load(logits, mask, row, c, classes, MASKED: tl.constexpr, DOUBLE: tl.constexpr):
    """Logits of one piece, -inf where a class is not allowed."""
    inside = c < classes
    x = tl.load(logits + row * classes + c, mask=inside, other=-float("inf"))
    x = x.to(tl.float64 if DOUBLE else tl.float32)
    if MASKED:
        allowed = tl.load(mask + row * classes + c, mask=inside, other=0)
        x = tl.where(allowed != 0, x, -float("inf"))
    return x


@triton.jit(do_not_specialize=WORDS)
def draw(
    logits, mask, tau, indices, out, rows, classes,
    k0: tl.uint32, k1: tl.uint32, offset_low: tl.uint32, offset_high: tl.uint32,
    MASKED: tl.constexpr, INDEXED: tl.constexpr, KIND: tl.constexpr, DOUBLE: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """One row: its index (KIND 0), its soft sample (1) or its hard sample (2)."""
    place = tl.program_id(0).to(tl.int64)
    row, sample = place % rows, place // rows
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    inf = float("inf")
    top = tl.full((), -inf, tl.float64 if DOUBLE else tl.float32)
    nans = tl.zeros((), tl.int32)
    for start in range(0, classes, BLOCK):
        x = _load(logits, mask, row, start + lanes, classes, MASKED, DOUBLE)
        nans += tl.sum((x != x).to(tl.int32), 0)
        top = tl.maximum(top, tl.max(tl.where(x == x, x, -inf), 0))
    bad = nans + (top == inf).to(tl.int32) > 0
    shift = tl.where(bad, 0.0, tl.where(top == -inf, 0.0, top))

    best = tl.full((), -inf, tl.float64 if DOUBLE else tl.float32)
    total = tl.zeros((), tl.float64 if DOUBLE else tl.float32)
    found = tl.full((), -1, tl.int64)
    t = tl.load(tau + row)
    flat = t == inf
    # Neither infinite nor 0, which would make NaN of an infinite distance.
    rate = tl.maximum(tl.minimum(1.0 / tl.where(t == 0.0, 1.0, t), 3.0e38), 1.0e-37)
    for start in range(0, classes, BLOCK):
        c = start + lanes
        x = _load(logits, mask, row, c, classes, MASKED, DOUBLE)
        x = tl.where(bad, 0.0, x)
        z = (x - shift) + _noise(start, row, sample, k0, k1, offset_low, offset_high, 0, DOUBLE, BLOCK)
        z = tl.where(x == -inf, -inf, z)
        here = tl.max(tl.where(z == z, z, -inf), 0)
        first = tl.min(tl.where(z == here, c, 0x7FFFFFFFFFFFFFFF), 0)
        found = tl.where(here > best, first, found)
        higher = tl.maximum(best, here)
        if KIND == 1:
            # the sum so far, seen from the best score so far
            base = tl.where(higher == -inf, 0.0, higher)
            fall = tl.where(flat, 1.0, tl.where(best == -inf, 0.0, tl.exp((best - base) * rate)))
            s = tl.where(x == -inf, 0.0, tl.where(flat, 0.0, (z - base) * rate))
            total = total * fall + tl.sum(tl.where(x == -inf, 0.0, tl.exp(s)), 0)
        best = higher
    found = tl.where(bad, -1, found)
    base = tl.where(best == -inf, 0.0, best)

    if INDEXED:
        tl.store(indices + place, found)
    if KIND != 0:
        sharp = t == 0.0
        for start in range(0, classes, BLOCK):
            c = start + lanes
            y = (c == found).to(tl.float64 if DOUBLE else tl.float32)
            if KIND == 1:
                x = tl.where(bad, 0.0, _load(logits, mask, row, c, classes, MASKED, DOUBLE))
                z = (x - shift) + _noise(
                    start, row, sample, k0, k1, offset_low, offset_high, 0, DOUBLE, BLOCK
                )
                s = tl.where(x == -inf, 0.0, tl.where(flat, 0.0, (z - base) * rate))
                weight = tl.where(x == -inf, 0.0, tl.exp(s)) / tl.where(total == 0.0, 1.0, total)
                y = tl.where(sharp, y, weight)
            y = tl.where(bad, float("nan"), y)
            tl.store(out + place * classes + c, y.to(out.dtype.element_ty), mask=c < classes)


@triton.jit
def backward(grad, y, tau, out, classes, LARGEST: tl.constexpr, DOUBLE: tl.constexpr, BLOCK: tl.constexpr):
    """One row of the gradient, as in the reference's ``soft_backward``."""
    row = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    dot = tl.zeros((), tl.float64 if DOUBLE else tl.float32)
    for start in range(0, classes, BLOCK):
        c = start + lanes
        v = tl.load(y + row * classes + c, mask=c < classes, other=0.0).to(dot.dtype)
        g = tl.load(grad + row * classes + c, mask=c < classes, other=0.0).to(dot.dtype)
        dot += tl.sum(v * (g * 0.5), 0)
    t = tl.load(tau + row)
    rate = tl.where(t == 0.0, 0.0, tl.minimum(2.0 / tl.where(t == 0.0, 1.0, t), LARGEST))
    for start in range(0, classes, BLOCK):
        c = start + lanes
        v = tl.load(y + row * classes + c, mask=c < classes, other=0.0).to(dot.dtype)
        g = tl.load(grad + row * classes + c, mask=c < classes, other=0.0).to(dot.dtype)
        d = tl.where(v == v, v * (g * 0.5 - dot) * rate, 0.0)
        tl.store(out + row * classes + c, d.to(out.dtype.element_ty), mask=c < classes)
