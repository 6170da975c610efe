/* Template (rows/dtypes.h, of float32 and float64): rows of a tile of a vocabulary's logits, for the mixture of embeddings.
   Forward they become unnormalised weights exp((x - top) / tau), with the winner and the sums so far in the row's state; a
   larger top says by `factor` what earlier sums are worth. Backward the weights are made again, divided by the row's sum,
   and become the gradient of the logits. x is the logit and its bias, less the row's base (so that noise is not rounded to
   the steps of large numbers), and for noisy weights the Gumbel noise of its class and row. */

/* The base is the largest allowed logit of about this many first classes. */
#define BASE_CLASSES 256

/* One row of a tile. */
struct F(mixture_row) {
    REAL *values;
    const REAL *bias;
    const uint8_t *mask;
    int64_t classes;
    REAL base;
};

/* Logit and bias from i, less the base: -inf where a class is not allowed or does not exist. */
INLINE V F(tile_logits)(const struct F(mixture_row) *row, int64_t i) {
    const int64_t left = row->classes - i;
    const V infinite = (V){0} + INFINITE, largest = (V){0} + LARGEST;
    V x = left >= N ? F(load)(row->values + i) : R(load_part)(row->values + i, left, -INFINITE);
    if (row->bias) x += left >= N ? F(load)(row->bias + i) : R(load_part)(row->bias + i, left, 0);
    if (row->mask) x = R(masked)(x, row->mask + i, left);
    V lower = x - row->base;
    /* what is finite stays so, and NaN stays NaN */
    lower = R(where_less)(lower, -largest, -largest, R(where_less)(largest, lower, largest, lower));
    return R(where_less)(-infinite, x, R(where_less)(x, infinite, lower, x), x);
}

INLINE REAL F(base_of)(const struct F(mixture_row) *row) {
    struct F(mixture_row) plain = *row;
    V top = (V){0} - INFINITE;
    plain.base = 0;
    for (int64_t i = 0; i < plain.classes && i < BASE_CLASSES; i += N) top = R(max)(top, F(tile_logits)(&plain, i));
    const REAL base = R(highest)(top);
    return base > -LARGEST && base < INFINITE ? base : 0; /* NaN compares false */
}

/* 1 / tau, and 0 where it is infinite: then only what is allowed matters. */
INLINE REAL F(mixture_rate)(double tau) {
    const REAL rate = (REAL)(1 / tau) < LARGEST ? (REAL)(1 / tau) : LARGEST;
    return tau < (double)INFINITE ? rate : 0;
}

/* Gumbel noise of classes [from, to) of the tile of row `r`, at s->noise plus what is returned. */
INLINE const REAL *F(mixture_noise)(struct F(scratch) *s, const struct mixture *m, int64_t r, int64_t from, int64_t to) {
    const int64_t first = m->class_start + from, last = m->class_start + to;
    s->tile.row = m->offset + (uint64_t)r;
    s->tile.step = 1;
    s->tile.sample = 0;
    s->tile.first = first / 4;
    s->tile.across = s->tile.blocks = (last + 3) / 4 - first / 4;
    R(prepare)(&s->tile);
    F(make_noise)(&s->tile, s->noise, LAW_GUMBEL);
    return s->noise + first % 4;
}

INLINE struct F(mixture_row) F(mixture_row_of)(const struct mixture *m, int64_t r) {
    struct F(mixture_row) row = {
        (REAL *)m->values + r * m->classes,
        (const REAL *)m->bias,
        m->mask ? m->mask + r * m->mask_stride : NULL,
        m->classes,
        (REAL)m->state[r * MX_STATES + MX_BASE],
    };
    return row;
}

/* Elements whose noise is made at a time; the first of them may lie within a block of four. */
#define MIXTURE_PIECE (TILE / 2)

/* x of a row in its place, the winner in its state; returns the tile's largest x, NaN for a bad row. */
static REAL F(mixture_scores)(struct F(scratch) *s, const struct mixture *m, int64_t r, const struct F(mixture_row) *row,
                              double *state) {
    const int noisy = (m->flags & MX_NOISY) != 0, quiet = (m->flags & MX_QUIET) != 0;
    const V lowest = (V){0} - INFINITE;
    V top = lowest, found = (V){0};
    VI size = (VI){0};
    for (int64_t from = 0; from < row->classes; from += MIXTURE_PIECE) {
        const int64_t to = from + MIXTURE_PIECE < row->classes ? from + MIXTURE_PIECE : row->classes;
        const REAL *noise = quiet ? NULL : F(mixture_noise)(s, m, r, from, to);
        V best = lowest;
        for (int64_t i = from; i < to; i += N) {
            const V x = F(tile_logits)(row, i), z = quiet ? x : x + F(load)(noise + i - from), kept = noisy ? z : x;
            size = R(max_int)(size, (VI)x & SIGN_OFF);
            top = R(max)(top, kept);
            best = R(max)(best, z);
            found += R(where_less)(lowest, x, (V){0} + 1, (V){0});
            if (to - i >= N) F(store)(row->values + i, kept);
            else R(store_part)(row->values + i, to - i, kept);
        }
        const REAL highest = R(highest)(best);
        if (highest > (REAL)state[MX_BEST]) {
            state[MX_BEST] = (double)highest;
            for (int64_t i = from; i < to; i++) {
                /* the same sum as above, or what was kept of it */
                const REAL z = noisy || quiet ? row->values[i] : row->values[i] + noise[i - from];
                if (z == highest) {
                    m->index[r] = m->class_start + i;
                    break;
                }
            }
        }
    }
    state[MX_COUNT] += (double)R(total)(found);
    const REAL highest = R(highest)(top);
    return R(any_negative)((VI){0} + INFINITE_BITS - size) || highest == INFINITE ? (REAL)__builtin_nan("") : highest;
}

/* (x - top) * rate of n vectors of x from i: -inf where a class is not allowed or does not exist. */
INLINE void F(fallen)(const REAL *x, int64_t i, int64_t classes, REAL top, REAL rate, V *w, const int n) {
    const V lowest = (V){0} - INFINITE, least = (V){0} - LARGEST;
    EACH {
        const int64_t left = classes - i - u * N;
        V one = left >= N ? F(load)(x + i + u * N) : lowest;
        if (left > 0 && left < N) one = R(load_part)(x + i + u * N, left, -INFINITE);
        w[u] = R(where_less)(lowest, one, R(max)(one - top, least) * rate, lowest);
    }
}
/* n vectors to the places of a row that exist. */
INLINE void F(put_row)(REAL *to, int64_t i, int64_t classes, const V *w, const int n) {
    EACH {
        const int64_t left = classes - i - u * N;
        if (left >= N) F(store)(to + i + u * N, w[u]);
        else if (left > 0) R(store_part)(to + i + u * N, left, w[u]);
    }
}

/* What sums of earlier tiles are worth under a new top, and their correction. */
static void F(raise_top)(double *state, REAL top, REAL rate, REAL *factor) {
    const REAL before = (REAL)state[MX_TOP];
    state[MX_TOP] = (double)top;
    if (before == -INFINITE) return; /* all sums are 0 */
    const REAL fall = before - top > -LARGEST ? before - top : -LARGEST;
    const REAL moved = fall * rate > -LARGEST ? fall * rate : -LARGEST;
    V worth[1] = {(V){0} + moved}, at_one[1] = {(V){0} + fall};
    R(exp)(worth, 1);
    R(exp)(at_one, 1);
    factor[0] = worth[0][0], factor[1] = at_one[0][0];
    state[MX_WEIGHTED] = factor[0] > 0 ? factor[0] * (state[MX_WEIGHTED] + (double)moved * state[MX_TOTAL]) : 0;
    state[MX_TOTAL] *= factor[0];
    state[MX_TOTAL_AT_ONE] *= factor[1];
}

/* The weights of one row in the place of its logits. */
static void F(mixture_forward)(struct F(scratch) *s, const struct mixture *m, int64_t r) {
    const int entropy = (m->flags & MX_ENTROPY) != 0, second = (m->flags & MX_SECOND) != 0;
    const int64_t classes = m->classes;
    double *state = m->state + r * MX_STATES;
    REAL *factor = (REAL *)m->factor + 2 * r, *at_one = second ? (REAL *)m->other + r * classes : NULL;
    struct F(mixture_row) row = F(mixture_row_of)(m, r);
    if (m->flags & MX_FIRST) state[MX_BASE] = (double)(row.base = F(base_of)(&row));
    const REAL rate = F(mixture_rate)(m->tau[r]), highest = F(mixture_scores)(s, m, r, &row, state);
    factor[0] = factor[1] = 1;
    if (!(highest == highest)) state[MX_BAD] = 1;
    if (state[MX_BAD] != 0 || highest == -INFINITE) { /* nothing to add */
        memset(row.values, 0, (size_t)classes * sizeof(REAL));
        if (second) memset(at_one, 0, (size_t)classes * sizeof(REAL));
        return;
    }
    if (highest > (REAL)state[MX_TOP]) F(raise_top)(state, highest, rate, factor);
    const REAL top = (REAL)state[MX_TOP];
    V total = (V){0}, total_at_one = (V){0}, weighted = (V){0}, w[ABREAST], scaled[ABREAST];
    for (int64_t i = 0; i < classes; i += ABREAST * N) {
        if (second) {
            F(fallen)(row.values, i, classes, top, 1, w, ABREAST);
            R(exp)(w, ABREAST);
            for (int u = 0; u < ABREAST; u++) total_at_one += w[u];
            F(put_row)(at_one, i, classes, w, ABREAST);
        }
        F(fallen)(row.values, i, classes, top, rate, w, ABREAST);
        for (int u = 0; u < ABREAST; u++) scaled[u] = w[u];
        R(exp)(w, ABREAST);
        for (int u = 0; u < ABREAST; u++) {
            total += w[u];
            if (entropy) weighted += R(where_less)((V){0}, w[u], w[u] * scaled[u], (V){0}); /* no 0 times infinity */
        }
        F(put_row)(row.values, i, classes, w, ABREAST);
    }
    state[MX_TOTAL] += (double)R(total)(total);
    state[MX_TOTAL_AT_ONE] += (double)R(total)(total_at_one);
    state[MX_WEIGHTED] += (double)R(total)(weighted);
}

/* The gradient of one row's logits in their place. */
static void F(mixture_backward)(struct F(scratch) *s, const struct mixture *m, int64_t r) {
    const int noisy = (m->flags & MX_NOISY) != 0, reinmax = (m->flags & MX_REINMAX) != 0;
    const int second = (m->flags & MX_SECOND) != 0, weights = (m->flags & MX_WEIGHTS) != 0;
    const int64_t classes = m->classes, winner = m->index[r] - m->class_start;
    const int won = winner >= 0 && winner < classes;
    const double *state = m->state + r * MX_STATES, *means = m->means + 3 * r, tau = m->tau[r];
    const struct F(mixture_row) row = F(mixture_row_of)(m, r);
    REAL *g = (REAL *)m->other + r * classes;
    if (m->index[r] < 0) {
        memset(row.values, 0, (size_t)classes * sizeof(REAL));
        if (weights) memset(g, 0, (size_t)classes * sizeof(REAL));
        return;
    }
    const REAL rate = F(mixture_rate)(tau), top = (REAL)state[MX_TOP];
    const REAL share = (REAL)(1 / state[MX_TOTAL]), share_at_one = second ? (REAL)(1 / state[MX_TOTAL_AT_ONE]) : 0;
    /* Halved, because the difference of two gradients may overflow where the result does not. */
    REAL twice = (REAL)(2 / tau) < LARGEST ? (REAL)(2 / tau) : LARGEST;
    twice = tau == 0 ? 0 : twice;
    const REAL mean = (REAL)(0.5 * means[0]);
    const REAL own = reinmax ? (REAL)means[2] : 0, middle = (REAL)(0.5 * (means[0] - means[2]));
    const REAL mean_at_one = (REAL)(means[1] - means[2]);
    V slope = (V){0}, w[ABREAST], one[ABREAST];
    for (int64_t from = 0; from < classes; from += MIXTURE_PIECE) {
        const int64_t to = from + MIXTURE_PIECE < classes ? from + MIXTURE_PIECE : classes;
        const REAL *noise = noisy ? F(mixture_noise)(s, m, r, from, to) : NULL;
        for (int64_t i = from; i < to; i += N) {
            V x = F(tile_logits)(&row, i);
            if (noisy) x += F(load)(noise + i - from);
            F(put_row)(row.values, i, classes, &x, 1);
        }
        for (int64_t i = from; i < to; i += ABREAST * N) {
            V upstream[ABREAST], below[ABREAST];
            for (int u = 0; u < ABREAST; u++) {
                const int64_t left = classes - i - u * N;
                upstream[u] = left >= N ? F(load)(g + i + u * N) : (V){0};
                if (left > 0 && left < N) upstream[u] = R(load_part)(g + i + u * N, left, 0);
            }
            F(fallen)(row.values, i, classes, top, rate, w, ABREAST);
            F(fallen)(row.values, i, classes, top, 1, one, ABREAST);
            for (int u = 0; u < ABREAST; u++) below[u] = R(max)(one[u], (V){0} - LARGEST);
            R(exp)(w, ABREAST);
            if (second) R(exp)(one, ABREAST);
            for (int u = 0; u < ABREAST; u++) {
                V p = w[u] * share, gradient;
                if (reinmax) {
                    const V other = second ? one[u] * share_at_one : p, relative = upstream[u] - own;
                    gradient = p * (relative - middle) - (REAL)0.5 * other * (relative - mean_at_one);
                } else {
                    gradient = p * ((REAL)0.5 * upstream[u] - mean) * twice;
                    slope += gradient * below[u];
                }
                w[u] = gradient;
                upstream[u] = p;
            }
            F(put_row)(row.values, i, classes, w, ABREAST);
            if (weights) F(put_row)(g, i, classes, upstream, ABREAST);
        }
    }
    if (reinmax && won) row.values[winner] -= middle;
    if (weights && noisy && tau == 0) { /* the limit: the winner's one-hot, also where two are best */
        memset(g, 0, (size_t)classes * sizeof(REAL));
        if (won) g[winner] = 1;
    }
    if (m->tau_grad) m->tau_grad[r] -= tau == 0 || rate == 0 ? 0 : (double)R(total)(slope) / tau;
}

static int F(mixture_rows)(const struct mixture *m, int64_t begin, int64_t end) {
    struct F(scratch) s;
    set_key(&s.tile, m->seed);
    for (int64_t r = begin; r < end; r++) {
        if (m->operation == MX_FORWARD) F(mixture_forward)(&s, m, r);
        else F(mixture_backward)(&s, m, r);
    }
    return 0;
}
