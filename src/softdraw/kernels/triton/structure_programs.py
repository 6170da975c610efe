"""The Triton programs of orders, subsets and matchings: one row, or one matrix, each."""

# Programs take untyped pointers and numbers; arguments in capitals are constants of the compilation.
# mypy: disable-error-code="no-untyped-def,untyped-decorator"
# ruff: noqa: N803

import triton
import triton.language as tl

from softdraw.kernels.triton.programs import WORDS, _load, _noise


@triton.jit
def tops(logits, mask, out, classes, MASKED: tl.constexpr, DOUBLE: tl.constexpr, BLOCK: tl.constexpr):
    """The largest allowed logit of one row: -inf for an empty one, NaN for one with NaN or +inf."""
    row = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    inf = float("inf")
    top = tl.full((), -inf, tl.float64 if DOUBLE else tl.float32)
    nans = tl.zeros((), tl.int32)
    for start in range(0, classes, BLOCK):
        x = _load(logits, mask, row, start + lanes, classes, MASKED, DOUBLE)
        nans += tl.sum((x != x).to(tl.int32), 0)
        top = tl.maximum(top, tl.max(tl.where(x == x, x, -inf), 0))
    bad = nans + (top == inf).to(tl.int32) > 0
    tl.store(out + row, tl.where(bad, float("nan"), top))


@triton.jit(do_not_specialize=WORDS)
def top_k_of_tiles(
    logits, mask, tops, values, indices, rows, classes, k,
    k0: tl.uint32, k1: tl.uint32, offset_low: tl.uint32, offset_high: tl.uint32,
    MASKED: tl.constexpr, DOUBLE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The k best classes of one tile of a row, best first; -1 with value -inf after the last allowed one."""
    place, tile = tl.program_id(0).to(tl.int64), tl.program_id(1).to(tl.int64)
    row, sample = place % rows, place // rows
    start = tile * BLOCK
    c = start + tl.arange(0, BLOCK).to(tl.int64)
    inf = float("inf")
    top = tl.load(tops + row)
    x = _load(logits, mask, row, c, classes, MASKED, DOUBLE)
    x = tl.where(top == top, x, -inf)
    shift = tl.where(top > -inf, top, 0.0)
    z = (x - shift) + _noise(start, row, sample, k0, k1, offset_low, offset_high, 0, DOUBLE, BLOCK)
    # An allowed class may score -inf (a difference that overflows), so it must outrank the others.
    lowest = -1.7976931348623157e308 if DOUBLE else -3.4028234663852886e38
    z = tl.where(x == -inf, -inf, tl.maximum(z, lowest))
    at = (place * tl.num_programs(1) + tile) * k
    for j in range(0, k):
        best = tl.max(z, 0)
        found = tl.min(tl.where(z == best, c, 0x7FFFFFFFFFFFFFFF), 0)
        tl.store(values + at + j, best)
        tl.store(indices + at + j, tl.where(best == -inf, -1, found))
        z = tl.where(c == found, -inf, z)


@triton.jit
def top_k_of_candidates(values, indices, out, count, k, BLOCK: tl.constexpr):
    """The k best of the candidates of all tiles of one row, which come in the order of the tiles."""
    place = tl.program_id(0).to(tl.int64)
    c = tl.arange(0, BLOCK)
    inf = float("inf")
    z = tl.load(values + place * count + c, mask=c < count, other=-inf)
    index = tl.load(indices + place * count + c, mask=c < count, other=-1)
    for j in range(0, k):
        best = tl.max(z, 0)
        first = tl.min(tl.where(z == best, c, BLOCK), 0)
        found = tl.sum(tl.where(c == first, index, 0), 0)
        tl.store(out + place * k + j, tl.where(best == -inf, -1, found))
        z = tl.where(c == first, -inf, z)


@triton.jit
def _sigmoid(x):
    """Without overflow on either side."""
    e = tl.exp(-tl.abs(x))
    return tl.where(x >= 0, 1.0, e) / (1.0 + e)


@triton.jit
def balance(u, top, out, n, low, high, STEPS: tl.constexpr, BLOCK: tl.constexpr):
    """The shift of one row of entropic top-k, by Newton's method in a bracket: see ``functional.topk``."""
    row = tl.program_id(0).to(tl.int64)
    lanes = tl.arange(0, BLOCK).to(tl.int64)
    lower, upper = tl.load(low + row), tl.load(high + row)
    shift = tl.zeros_like(upper)
    step = tl.zeros_like(upper)
    for _ in range(STEPS):
        above, lack = tl.zeros_like(upper), tl.zeros_like(upper)
        rate_above, rate_lack = tl.zeros_like(upper), tl.zeros_like(upper)
        for start in range(0, n, BLOCK):
            c = start + lanes
            x = tl.load(u + row * n + c, mask=c < n, other=-float("inf"))
            best = tl.load(top + row * n + c, mask=c < n, other=0) != 0
            p = _sigmoid(tl.where(best, x - shift, x + shift))
            q = p * (1.0 - p)
            above += tl.sum(tl.where(best, 0.0, p), 0)
            lack += tl.sum(tl.where(best, p, 0.0), 0)
            rate_above += tl.sum(tl.where(best, 0.0, q), 0)
            rate_lack += tl.sum(tl.where(best, q, 0.0), 0)
        both = (above > 0) & (lack > 0)
        above, lack = tl.where(both, above, 1.0), tl.where(both, lack, 1.0)
        rate = rate_above / above + rate_lack / lack
        step = (tl.log(lack) - tl.log(above)) / tl.where(rate > 0, rate, 1.0)
        lower, upper = tl.where(step > 0, shift, lower), tl.where(step > 0, upper, shift)
        moved = shift + step
        inside = (moved >= lower) & (moved <= upper)
        shift = tl.where(inside, moved, 0.5 * (lower + upper))
    tl.store(out + row, shift)


@triton.jit
def _before(row, j):
    """The entry at j - 1 in the place of that at j; 0 at 0."""
    return tl.where(j == 0, 0.0, tl.gather(row, tl.where(j == 0, 0, j - 1), 0))


@triton.jit
def _behind(row, j, WIDTH: tl.constexpr):
    """The entry at j + 1 in the place of that at j; 0 at the end."""
    last = j == WIDTH - 1
    return tl.where(last, 0.0, tl.gather(row, tl.where(last, 0, j + 1), 0))


@triton.jit
def subsets(
    p, q, v, table, slopes, mass, out, n, k,
    WANTED: tl.constexpr, DIRECTED: tl.constexpr, WIDTH: tl.constexpr,
):  # fmt: skip
    """One row of the recursion of k-subsets: P(k are taken), the marginals or their derivative along v.

    The rows of the recursion before each item lie in ``table``, their derivatives in ``slopes``.
    """
    row = tl.program_id(0).to(tl.int64)
    j = tl.arange(0, WIDTH)
    kept = j <= k
    state = tl.where(j == 0, 1.0, 0.0).to(p.dtype.element_ty)
    slope = tl.zeros_like(state)
    for i in range(0, n):
        if WANTED:
            tl.store(table + (row * n + i) * (k + 1) + j, state, mask=kept)
        taken, left = tl.load(p + row * n + i), tl.load(q + row * n + i)
        before = _before(state, j)
        if DIRECTED:
            tl.store(slopes + (row * n + i) * (k + 1) + j, slope, mask=kept)
            w = tl.load(v + row * n + i)
            slope = left * slope + taken * _before(slope, j) + taken * w * before
        state = left * state + taken * before
    whole = tl.sum(tl.where(j == k, state, 0.0), 0)
    tl.store(mass + row, whole)
    if WANTED:
        drift = tl.sum(tl.where(j == k, slope, 0.0), 0)
        back = tl.where(j == k, 1.0, 0.0).to(p.dtype.element_ty)
        tangent = tl.zeros_like(back)
        tl.debug_barrier()
        for step in range(0, n):
            i = n - 1 - step
            taken, left = tl.load(p + row * n + i), tl.load(q + row * n + i)
            state = tl.load(table + (row * n + i) * (k + 1) + j, mask=kept, other=0.0)
            after = _behind(back, j, WIDTH)
            share = taken * tl.sum(state * after, 0) / whole
            if DIRECTED:
                w = tl.load(v + row * n + i)
                slope = tl.load(slopes + (row * n + i) * (k + 1) + j, mask=kept, other=0.0)
                behind = _behind(tangent, j, WIDTH)
                moved = tl.sum(state * behind + slope * after, 0)
                tl.store(out + row * n + i, share * (w - drift / whole) + taken * moved / whole)
                tangent = left * tangent + taken * (behind + w * after)
            else:
                tl.store(out + row * n + i, tl.minimum(share, 1.0))
            back = left * back + taken * after


@triton.jit
def sinkhorn(
    x, masses, out, errors, steps, n, m, most, tolerance,
    ROWS: tl.constexpr, COLUMNS: tl.constexpr,
):  # fmt: skip
    """One matrix: rows, then columns, in log space, until the sums of its rows fit."""
    place = tl.program_id(0).to(tl.int64)
    i, j = tl.arange(0, ROWS), tl.arange(0, COLUMNS)
    inf = float("inf")
    inside = (i < n)[:, None] & (j < m)[None, :]
    at = place * n * m + i[:, None] * m + j[None, :]
    z = tl.load(x + at, mask=inside, other=-inf)
    mass = tl.load(masses + place * n + i, mask=i < n, other=0.0)
    bad = tl.sum(tl.sum(((z != z) | (z == inf)).to(tl.int32), 1), 0) > 0
    z = tl.where((mass > 0)[:, None] & (z == z) & (z < inf), z, -inf)
    z = tl.where(bad, -inf, z)
    best_of_rows, best_of_columns = tl.max(z, 1), tl.max(z, 0)
    rows, columns = best_of_rows > -inf, best_of_columns > -inf
    goal = tl.log(tl.where(mass > 0, mass, 1.0))
    u, v = tl.zeros_like(mass), tl.zeros_like(best_of_columns)
    error = tl.where(bad, 0.0, tl.full((), inf, mass.dtype))  # nothing is iterated for NaN
    done = tl.zeros((), tl.int64)
    while (done < most) & (error > tolerance):
        seen = z + v[None, :]
        top = tl.where(rows, tl.max(seen, 1), 0.0)
        total = tl.sum(tl.exp(seen - top[:, None]), 1)
        u = tl.where(rows, goal - (top + tl.log(tl.where(rows, total, 1.0))), u)
        seen = z + u[:, None]
        top_of_columns = tl.where(columns, tl.max(seen, 0), 0.0)
        share = tl.sum(tl.exp(seen - top_of_columns[None, :]), 0)
        v = tl.where(columns, -(top_of_columns + tl.log(tl.where(columns, share, 1.0))), v)
        left = tl.sum(tl.exp(seen + v[None, :]), 1) - mass
        error = tl.max(tl.abs(left), 0)
        done += 1
    y = tl.exp(z + u[:, None] + v[None, :])
    tl.store(out + at, tl.where(bad, float("nan"), y), mask=inside)
    tl.store(errors + place, tl.where(bad, float("nan"), error))
    tl.store(steps + place, done)
