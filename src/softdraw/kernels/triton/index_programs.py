"""The Triton program of a vocabulary's draws of an index: products, noise and the winner of a tile, in one.

What it leaves of a tile is what ``kernels.vocabulary.index_state.Drawn`` says, for the tile alone.
"""

# Programs take untyped pointers and numbers; arguments in capitals are constants of the compilation.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# ruff: noqa: N803

import triton
import triton.language as tl

from softdraw.kernels.triton.programs import WORDS, _minus_log1m, _words


@triton.jit
def _gumbel(
    start, row, sample, k0, k1, offset_low, offset_high, ROWS: tl.constexpr, CLASSES: tl.constexpr
):  # fmt: skip
    """Float32 noise ``[ROWS, CLASSES]`` of classes from ``start`` (a multiple of four); see ``layout``."""
    low = (row + offset_low.to(tl.int64)).to(tl.uint64)
    row_low = low.to(tl.uint32)[:, None]
    row_high = ((low >> 32) + offset_high.to(tl.uint64)).to(tl.uint32)[:, None]
    zero = tl.zeros((ROWS, CLASSES // 4), tl.uint32)
    block = zero + (start // 4 + tl.arange(0, CLASSES // 4).to(tl.int64)).to(tl.uint32)[None, :]
    c1, c2, c3 = zero + row_low, zero + row_high, zero + sample.to(tl.uint32)
    key0, key1 = zero + k0.to(tl.uint32), zero + k1.to(tl.uint32)
    word = _words(block, c1, c2, c3, key0, key1)
    upper = word >= 0x80000000
    m = tl.where(upper, word ^ 0xFFFFFFFF, word)
    p = (m.to(tl.float32) + 0.5) * 2.3283064365386963e-10
    # one element in 32,768 needs its low word
    if tl.max(tl.max((m < 65536).to(tl.int32), 1), 0) > 0:
        fine = _words(block | 0x80000000, c1, c2, c3, key0, key1)
        n = tl.where(upper, fine ^ 0xFFFFFFFF, fine)
        near = m.to(tl.float32) * 2.3283064365386963e-10 + (n.to(tl.float32) + 0.5) * 5.421010862427522e-20
        p = tl.where(m < 65536, near, p)
    return -tl.log(tl.where(upper, -tl.log(p), _minus_log1m(p)))


@triton.jit(do_not_specialize=WORDS)
def index_of_tiles(
    hidden, weight, bias, mask, rate, tops, sums, best_out, chosen_out, index_out,
    rows, width, classes, mask_stride,
    k0: tl.uint32, k1: tl.uint32, offset_low: tl.uint32, offset_high: tl.uint32,
    BIAS: tl.constexpr, MASKED: tl.constexpr, MEASURED: tl.constexpr, WIDEN: tl.constexpr,
    SPAN: tl.constexpr, ROWS: tl.constexpr, CLASSES: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """Some rows of one sample and a tile of ``SPAN`` classes, ``CLASSES`` at a time."""
    inf = float("inf")
    tile, sample = tl.program_id(0).to(tl.int64), tl.program_id(2).to(tl.int64)
    r = tl.program_id(1).to(tl.int64) * ROWS + tl.arange(0, ROWS).to(tl.int64)
    here = r < rows
    scale = tl.load(rate + r, mask=here, other=1.0)[:, None]
    top, best = tl.full((ROWS,), -inf, tl.float32), tl.full((ROWS,), -inf, tl.float32)
    chosen = tl.full((ROWS,), -inf, tl.float32)
    total, weighted = tl.zeros((ROWS,), tl.float32), tl.zeros((ROWS,), tl.float32)
    index, bad = tl.full((ROWS,), -1, tl.int64), tl.zeros((ROWS,), tl.int32)
    for begin in range(0, SPAN, CLASSES):
        start = tile * SPAN + begin
        c = start + tl.arange(0, CLASSES).to(tl.int64)
        there = c < classes
        z = tl.zeros((ROWS, CLASSES), tl.float32)
        for first in range(0, width, WIDTH):
            k = first + tl.arange(0, WIDTH)
            known = k < width
            h = tl.load(
                hidden + r[:, None] * width + k[None, :], mask=here[:, None] & known[None, :], other=0.0
            )
            w = tl.load(
                weight + c[None, :] * width + k[:, None], mask=there[None, :] & known[:, None], other=0.0
            )
            if WIDEN:
                h, w = h.to(tl.float32), w.to(tl.float32)
            z = tl.dot(h, w, z, input_precision="ieee")
        if BIAS:
            z += tl.load(bias + c, mask=there, other=0.0).to(tl.float32)[None, :]
        z *= scale
        inside = here[:, None] & there[None, :]
        if MASKED:
            allowed = tl.load(mask + r[:, None] * mask_stride + c[None, :], mask=inside, other=0)
            inside = inside & (allowed != 0)
        z = tl.where(inside, z, -inf)
        bad += tl.sum(((z != z) | (z == inf)).to(tl.int32), 1)
        z = tl.where((z == z) & (z < inf), z, -inf)
        higher = tl.maximum(top, tl.max(z, 1))
        base = tl.where(higher == -inf, 0.0, higher)
        fall = tl.where(top == -inf, 0.0, top - base)
        distance = z - base[:, None]
        if MEASURED:
            share, near = tl.exp(fall), tl.maximum(fall, -1.0e4)
            d = tl.maximum(distance, -1.0e4)
            part = tl.where(z == -inf, 0.0, tl.exp(d))
            weighted = (weighted + near * total) * share + tl.sum(part * d, 1)
            total = total * share + tl.sum(part, 1)
        score = distance + _gumbel(start, r, sample, k0, k1, offset_low, offset_high, ROWS, CLASSES)
        reached = tl.max(score, 1)
        found = tl.min(tl.where(score == reached[:, None], c[None, :], 0x7FFFFFFFFFFFFFFF), 1)
        logit = tl.max(tl.where(c[None, :] == found[:, None], z, -inf), 1)
        best += fall
        better = reached > best
        index = tl.where(better, found, index)
        chosen = tl.where(better, logit, chosen)
        best = tl.where(better, reached, best)
        top = higher
    tl.store(tops + tile * rows + r, tl.where(bad > 0, float("nan"), top), mask=here)
    if MEASURED:
        tl.store(sums + (tile * rows + r) * 2, total, mask=here)
        tl.store(sums + (tile * rows + r) * 2 + 1, weighted, mask=here)
    place = (tile * tl.num_programs(2) + sample) * rows + r
    tl.store(best_out + place, best, mask=here)
    tl.store(chosen_out + place, chosen, mask=here)
    tl.store(index_out + place, index, mask=here)
