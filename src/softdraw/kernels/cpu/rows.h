/* The draws, row by row, and their gradients: a template, included for REAL = float and REAL = double. */

/* The words of row `row` in sample `sample`, classes [from, to). */
static void F(make_part)(struct tile *t, const struct job *job, int64_t sample, int64_t row, int64_t from, int64_t to) {
    t->row = job->offset + (uint64_t)row;
    t->sample = (uint32_t)sample;
    t->first = from / 4;
    t->across = t->blocks = (to - from + 3) / 4;
    F(prepare)(t);
}

/* Scores x - top + noise of the classes from i, whose words lie at `at`. */
INLINE V F(score)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t i, int dtype) {
    return (F(logits)(row, i, dtype) - row->top) + F(noise)(t, at, LAW_GUMBEL);
}

struct F(winner) {
    REAL best;
    int64_t index;
};

/* The best of classes [from, to), if it beats what was found before them; the first of equals wins. */
INLINE void F(search_all)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, int dtype,
                          struct F(winner) *w) {
    V best = (V){0} - INFINITE;
    VI where = (VI){0} - 1, here, step = (VI){0} + N;
    for (int lane = 0; lane < N; lane++) here[lane] = lane;
    for (int64_t i = from; i < to; i += N, here += step) {
        V z = F(score)(t, at + i - from, row, i, dtype);
        where = F(iless)(best, z, here, where);
        best = F(max)(best, z);
    }
    REAL highest = F(highest)(best);
    if (highest > w->best) w->best = highest, w->index = from + F(first_with)(best, where, highest);
}

#if defined(HALVES)
/* Scores of those vectors alone whose bound exceeds `limit`. */
INLINE void F(search_above)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to,
                            int dtype, REAL limit, const REAL *bounds, struct F(winner) *w) {
    for (int64_t i = from; i < to; i += N)
        if (__builtin_expect(F(any_negative)((VI)(limit - F(load)(bounds + i - from))), 0))
            F(search_all)(t, at + i - from, row, i, i + N < to ? i + N : to, dtype, w);
}

/* Few classes can win, and what they stay below costs less than their noise. */
INLINE void F(search)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, int dtype,
                      REAL *bounds, struct F(winner) *w) {
    if (to - from <= 4 * N) {
        F(search_all)(t, at, row, from, to, dtype, w);
        return;
    }
    V most = (V){0} - INFINITE;
    for (int64_t i = from; i < to; i += N) {
        V bound = (F(logits)(row, i, dtype) - row->top) + F(gumbel_bound)(t, at + i - from);
        F(store)(bounds + i - from, bound);
        most = F(max)(most, bound);
    }
    REAL highest = F(highest)(most);
    if (highest <= w->best) return;
    /* The bound is rarely looser than this; where it was, those above the best score are looked at again. */
    const struct F(winner) before = *w;
    REAL limit = highest - (REAL)0.1 > before.best ? highest - (REAL)0.1 : before.best;
    F(search_above)(t, at, row, from, to, dtype, limit, bounds, w);
    if (w->best < limit) {
        limit = w->best;
        *w = before;
        F(search_above)(t, at, row, from, to, dtype, limit, bounds, w);
    }
}
#else
INLINE void F(search)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, int dtype,
                      REAL *bounds, struct F(winner) *w) {
    (void)bounds;
    F(search_all)(t, at, row, from, to, dtype, w);
}
#endif

/* exp((score - best) / tau) in z, and its sum. With `level` (tau = inf) only what is allowed matters. */
INLINE REAL F(weights)(struct tile *t, int64_t ready, const struct job *job, int64_t sample, int64_t number,
                       const struct F(row) *row, REAL tau, int dtype, REAL *z) {
    const int64_t classes = row->classes;
    const REAL rate = F(rate_of)(tau);
    V best = (V){0} - INFINITE, total = (V){0};
    if (tau == INFINITE) {
        for (int64_t i = 0; i < classes; i += N) {
            V one = F(less)((V){0} - INFINITE, F(logits)(row, i, dtype), (V){0} + 1, (V){0});
            F(store)(z + i, one);
            total += one;
        }
        return F(total)(total);
    }
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t to = from + TILE < classes ? from + TILE : classes, at = ready;
        if (ready < 0) F(make_part)(t, job, sample, number, from, to), at = 0;
        for (int64_t i = from; i < to; i += N) {
            V score = F(score)(t, at + i - from, row, i, dtype);
            F(store)(z + i, score);
            best = F(max)(best, score);
        }
    }
    const REAL highest = F(highest)(best);
    for (int64_t i = 0; i < classes; i += N) {
        V w = F(exp)((F(load)(z + i) - highest) * rate);
        F(store)(z + i, w);
        total += w;
    }
    return F(total)(total);
}

/* The gradient of the logits from the soft sample: y (g - y . g) / tau; g is halved, because the difference of two
   gradients may overflow where the result does not. */
INLINE REAL F(double_rate)(REAL tau) { return tau == 0 ? 0 : 2 / tau < LARGEST ? 2 / tau : LARGEST; }

INLINE void F(backward)(const char *grad, const char *y, int64_t classes, REAL tau, char *out, int dtype) {
    V dot = (V){0};
    const REAL rate = F(double_rate)(tau);
    for (int64_t i = 0; i < classes; i += N) {
        V v = F(get)(y, i, classes - i, dtype, 0), g = F(get)(grad, i, classes - i, dtype, 0);
        dot = F(fma)(v, g * (REAL)0.5, dot);
    }
    REAL mean = F(total)(dot);
    V first = F(get)(y, 0, 1, dtype, 0);
    if (first[0] != first[0]) { /* a row of NaN moves with no logit */
        F(fill)(out, classes, dtype, 0);
        return;
    }
    for (int64_t i = 0; i < classes; i += N) {
        V v = F(get)(y, i, classes - i, dtype, 0), g = F(get)(grad, i, classes - i, dtype, 0);
        F(put)(out, i, classes - i, dtype, v * (g * (REAL)0.5 - mean) * rate);
    }
}

/* The same from unnormalised weights in z, with the roundings of a sample that was stored in between. */
INLINE void F(backward_from)(const char *grad, REAL *z, REAL scale, int64_t classes, REAL tau, char *out, int dtype) {
    V dot = (V){0};
    const REAL rate = F(double_rate)(tau);
    for (int64_t i = 0; i < classes; i += N) {
        V v = F(rounded)(F(load)(z + i) * scale, dtype), g = F(get)(grad, i, classes - i, dtype, 0);
        F(store)(z + i, v);
        dot = F(fma)(v, g * (REAL)0.5, dot);
    }
    REAL mean = F(total)(dot);
    for (int64_t i = 0; i < classes; i += N) {
        V g = F(get)(grad, i, classes - i, dtype, 0);
        F(put)(out, i, classes - i, dtype, F(load)(z + i) * (g * (REAL)0.5 - mean) * rate);
    }
}

/* One row of one sample; `ready` says where its words lie in the tile, or is -1 where they are still to be made. */
INLINE void F(draw_row)(struct tile *t, int64_t ready, const struct job *job, int64_t sample, int64_t number, int dtype,
                        REAL *z) {
    const int64_t classes = job->classes, place = sample * job->rows + number, bytes = classes * F(width)(dtype);
    const struct F(row) row = F(row_of)(job, number, dtype);
    const REAL tau = F(tau_of)(job, number);
    const int empty = row.top == -INFINITE, bad = row.top != row.top, operation = (int)job->operation;
    char *out = job->out + place * bytes;
    if (operation == OP_HARD_BACKWARD) {
        if (bad || empty || tau == 0) F(fill)(out, classes, dtype, 0);
        else {
            REAL total = F(weights)(t, ready, job, sample, number, &row, tau, dtype, z);
            F(backward_from)(job->grad + place * bytes, z, 1 / total, classes, tau, out, dtype);
        }
        return;
    }
    struct F(winner) w = {-INFINITE, -1};
    if (operation != OP_SOFT || tau == 0) {
        if (!bad && !empty)
            for (int64_t from = 0; from < classes; from += TILE) {
                int64_t to = from + TILE < classes ? from + TILE : classes, at = ready;
                if (ready < 0) F(make_part)(t, job, sample, number, from, to), at = 0;
                F(search)(t, at, &row, from, to, dtype, z, &w);
            }
        if (job->index) job->index[place] = w.index;
        if (operation == OP_INDEX) return;
    } else if (!bad && !empty) {
        REAL scale = 1 / F(weights)(t, ready, job, sample, number, &row, tau, dtype, z);
        for (int64_t i = 0; i < classes; i += N) F(put)(out, i, classes - i, dtype, F(load)(z + i) * scale);
        return;
    }
    F(fill)(out, classes, dtype, bad ? (REAL)__builtin_nan("") : (REAL)0);
    if (w.index >= 0) F(put_one)(out, w.index, dtype, 1);
}

static int F(draw)(const struct job *job, int64_t begin, int64_t end, int dtype) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4;
    const int64_t group = blocks >= TILE / 8 ? 1 : TILE / 4 / blocks;
    struct tile tile;
    REAL small[TILE + N], *z = small;
    if (classes > TILE && job->operation != OP_INDEX && job->operation != OP_HARD) {
        z = malloc((size_t)(classes + N) * sizeof(REAL));
        if (!z) return -1;
    }
    set_key(&tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        if (classes <= TILE) {
            tile.row = job->offset + (uint64_t)row;
            tile.sample = (uint32_t)sample;
            tile.first = 0, tile.across = blocks, tile.blocks = rows * blocks;
            F(prepare)(&tile);
        }
        for (int64_t r = 0; r < rows; r++)
            F(draw_row)(&tile, classes <= TILE ? r * 4 * blocks : -1, job, sample, row + r, dtype, z);
        begin += rows;
    }
    if (z != small) free(z);
    return 0;
}

static void F(noise_into)(const struct tile *t, REAL *out, int law) {
    for (int64_t i = 0; i < 4 * t->blocks; i += N) F(store)(out + i, F(noise)(t, i, law));
}

/* Noise alone; rows of few classes share a tile. */
static void F(noises)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4;
    const int64_t group = blocks >= TILE / 8 ? 1 : TILE / 4 / blocks;
    struct tile tile;
    REAL noise[TILE + N];
    set_key(&tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        for (int64_t from = 0; from < classes; from += TILE) {
            int64_t to = from + TILE < classes ? from + TILE : classes, across = (to - from + 3) / 4;
            F(make_part)(&tile, job, sample, row, from, to);
            if (rows > 1) {
                tile.blocks = rows * across;
                F(prepare)(&tile);
            }
            switch (job->law) {
            case LAW_GUMBEL: F(noise_into)(&tile, noise, LAW_GUMBEL); break;
            case LAW_LOGISTIC: F(noise_into)(&tile, noise, LAW_LOGISTIC); break;
            case LAW_EXPONENTIAL: F(noise_into)(&tile, noise, LAW_EXPONENTIAL); break;
            default: F(noise_into)(&tile, noise, LAW_UNIFORM);
            }
            for (int64_t r = 0; r < rows; r++)
                memcpy((REAL *)job->out + (begin + r) * classes + from, noise + r * 4 * across,
                       (size_t)(to - from) * sizeof(REAL));
        }
        begin += rows;
    }
}

INLINE int F(run)(const struct job *job, int64_t begin, int64_t end, int dtype) {
    if (job->operation == OP_NOISE) {
        F(noises)(job, begin, end);
        return 0;
    }
    if (job->operation == OP_SOFT_BACKWARD) {
        const int64_t bytes = job->classes * F(width)(dtype);
        for (int64_t row = begin; row < end; row++)
            F(backward)(job->grad + row * bytes, job->logits + row * bytes, job->classes, F(tau_of)(job, row),
                        job->out + row * bytes, dtype);
        return 0;
    }
    return F(draw)(job, begin, end, dtype);
}
