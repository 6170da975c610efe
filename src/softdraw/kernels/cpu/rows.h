/* The draws, row by row, and their gradients: a template, included for REAL = float and REAL = double. */

/* Memory of one thread: words and noise of a tile, and a row of scores. */
struct F(scratch) {
    struct tile tile;
    REAL noise[TILE + SPARE];
    REAL small[TILE + SPARE], *z; /* z is `small`, or longer */
};

INLINE void F(noise_into)(const struct tile *t, REAL *out, int law) {
    int64_t i = 0;
    for (; i < 4 * t->blocks; i += ABREAST * N) {
        V noise[ABREAST];
        F(noise)(t, i, law, noise, ABREAST);
        for (int u = 0; u < ABREAST; u++) F(store)(out + i + u * N, noise[u]);
    }
    F(store)(out + i, (V){0} + 1); /* read beside the last row's noise, so it must be a number */
}

/* Words of classes [from, to) of `rows` rows. */
static void F(make)(struct tile *t, const struct job *job, int64_t sample, int64_t row, int64_t rows, int64_t from,
                    int64_t to) {
    t->row = job->offset + (uint64_t)row;
    t->sample = (uint32_t)sample;
    t->first = from / 4;
    t->across = (to - from + 3) / 4;
    t->blocks = rows * t->across;
    F(prepare)(t);
}

/* Ask for the memory that is worked on next, while there is arithmetic to do: the next row of logits, the gradient of
   this one (or NULL) and its output, `at` bytes from their beginning. */
INLINE void F(soon)(const char *next, const char *grad, const char *out, int64_t at) {
    __builtin_prefetch(next + at);
    __builtin_prefetch(out + at, 1);
    if (grad) __builtin_prefetch(grad + at);
}

/* The law of the noise that the weights start from. At tau = 1 they are exp(logit) / E, E the exponential noise, which
   spares the logarithm of Gumbel noise. Rows with temperatures of their own decide one by one. */
INLINE int F(law_of)(const struct job *job) {
    const int searching = job->operation == OP_INDEX || job->operation == OP_HARD;
    return !searching && (job->row_tau || job->tau == 1) ? LAW_EXPONENTIAL : LAW_GUMBEL;
}

/* Scores of `n` vectors of a row. */
INLINE void F(score)(const struct F(row) *row, int64_t i, int dtype, const REAL *noise, int law, V *z, const int n) {
    EACH z[u] = F(load)(noise + u * N);
    if (law == LAW_EXPONENTIAL) F(minus_log)(z, n);
    EACH z[u] = (F(logits)(row, i + u * N, dtype) - row->top) + z[u];
}
struct F(winner) {
    REAL best;
    int64_t index;
};

/* The best of classes [from, to), if it beats what was found before them; the first of equals wins. */
INLINE void F(search_all)(const REAL *noise, int law, const struct F(row) *row, int64_t from, int64_t to, int dtype,
                          struct F(winner) *w) {
    V best = (V){0} - INFINITE;
    VI where = (VI){0} - 1, here, step = (VI){0} + N;
    for (int lane = 0; lane < N; lane++) here[lane] = lane;
    for (int64_t i = from; i < to; i += N, here += step) {
        V z;
        F(score)(row, i, dtype, noise + i - from, law, &z, 1);
        where = F(iless)(best, z, here, where);
        best = F(max)(best, z);
    }
    REAL highest = F(highest)(best);
    if (highest > w->best) w->best = highest, w->index = from + F(first_with)(best, where, highest);
}

/* Whether the search looks at bounds first; only the noise of what may win is then made. */
INLINE int F(bounded)(int64_t classes) {
#if defined(HALVES)
    return classes > 4 * N;
#else
    (void)classes;
    return 0;
#endif
}

#if defined(HALVES)
/* Scores of those vectors alone whose bound exceeds `limit`. */
INLINE void F(search_above)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to,
                            int dtype, REAL limit, const REAL *bounds, struct F(winner) *w) {
    for (int64_t i = from; i < to; i += N)
        if (__builtin_expect(F(any_negative)((VI)(limit - F(load)(bounds + i - from))), 0)) {
            REAL noise[N];
            V made;
            F(noise)(t, at + i - from, LAW_GUMBEL, &made, 1);
            F(store)(noise, made);
            F(search_all)(noise, LAW_GUMBEL, row, i, i + N < to ? i + N : to, dtype, w);
        }
}

/* The same as search_all: few classes can win, and what they stay below costs less than their noise. */
INLINE void F(search)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, int dtype,
                      REAL *bounds, struct F(winner) *w) {
    V most = (V){0} - INFINITE;
    for (int64_t i = from; i < to; i += N) {
        V bound = (F(logits)(row, i, dtype) - row->top) + F(gumbel_bound)(t, at + i - from);
        F(store)(bounds + i - from, bound);
        most = F(max)(most, bound);
        __builtin_prefetch(row->logits + (row->classes + i) * F(width)(dtype));
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
#endif

/* The winner of one row. Its words lie at `ready` in the tile, and its noise in the same place, or ready is -1. */
INLINE int64_t F(winner_of)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t number,
                            const struct F(row) *row, int dtype) {
    struct F(winner) w = {-INFINITE, -1};
    for (int64_t from = 0; from < row->classes; from += TILE) {
        int64_t to = from + TILE < row->classes ? from + TILE : row->classes, at = ready;
        if (ready < 0) F(make)(&s->tile, job, sample, number, 1, from, to), at = 0;
#if defined(HALVES)
        if (F(bounded)(row->classes)) {
            F(search)(&s->tile, at, row, from, to, dtype, s->small, &w);
            continue;
        }
#endif
        if (ready < 0) F(noise_into)(&s->tile, s->noise, F(law_of)(job));
        F(search_all)(s->noise + at, F(law_of)(job), row, from, to, dtype, &w);
    }
    return w.index;
}

/* Weights exp(logit - top) / E of `n` vectors of a row, from exponential noise. */
INLINE void F(weigh)(const struct F(row) *row, int64_t i, int dtype, const REAL *noise, V *w, const int n) {
    EACH w[u] = F(logits)(row, i + u * N, dtype) - row->top;
    F(exp)(w, n);
    EACH w[u] = w[u] / F(load)(noise + u * N);
}
INLINE void F(temper)(REAL *z, REAL best, REAL rate, V *w, const int n) {
    EACH w[u] = (F(load)(z + u * N) - best) * rate;
    F(exp)(w, n);
}

/* The unnormalised soft sample of one row in z, and its sum. `grad`, or NULL, will be read next. */
INLINE REAL F(weights)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t number,
                       const struct F(row) *row, REAL tau, int dtype, const char *grad) {
    const int64_t classes = row->classes, bytes = F(width)(dtype);
    const REAL rate = F(rate_of)(tau);
    const int law = F(law_of)(job);
    const char *next = row->logits + classes * bytes, *out = job->out + (sample * job->rows + number) * classes * bytes;
    REAL *z = s->z;
    V best = (V){0} - INFINITE, total = (V){0}, v[ABREAST];
    if (tau == INFINITE) { /* only what is allowed matters */
        for (int64_t i = 0; i < classes; i += N) {
            V one = F(less)((V){0} - INFINITE, F(logits)(row, i, dtype), (V){0} + 1, (V){0});
            F(store)(z + i, one);
            total += one;
        }
        return F(total)(total);
    }
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t to = from + TILE < classes ? from + TILE : classes, i = from;
        const REAL *noise = s->noise + ready - from;
        if (ready < 0) {
            F(make)(&s->tile, job, sample, number, 1, from, to);
            F(noise_into)(&s->tile, s->noise, law);
            noise = s->noise - from;
        }
        if (tau == 1) {
            for (; i + ABREAST * N <= to; i += ABREAST * N) {
                F(weigh)(row, i, dtype, noise + i, v, ABREAST);
                for (int u = 0; u < ABREAST; u++) {
                    F(store)(z + i + u * N, v[u]), total += v[u];
                    F(soon)(next, grad, out, (i + u * N) * bytes);
                }
            }
            for (; i < to; i += N) {
                F(weigh)(row, i, dtype, noise + i, v, 1);
                F(store)(z + i, v[0]), total += v[0];
            }
        } else {
            for (; i + ABREAST * N <= to; i += ABREAST * N) {
                F(score)(row, i, dtype, noise + i, law, v, ABREAST);
                for (int u = 0; u < ABREAST; u++) {
                    F(store)(z + i + u * N, v[u]), best = F(max)(best, v[u]);
                    F(soon)(next, grad, out, (i + u * N) * bytes);
                }
            }
            for (; i < to; i += N) {
                F(score)(row, i, dtype, noise + i, law, v, 1);
                F(store)(z + i, v[0]), best = F(max)(best, v[0]);
            }
        }
    }
    if (tau == 1) return F(total)(total);
    const REAL highest = F(highest)(best);
    int64_t i = 0;
    for (; i + ABREAST * N <= classes; i += ABREAST * N) {
        F(temper)(z + i, highest, rate, v, ABREAST);
        for (int u = 0; u < ABREAST; u++) F(store)(z + i + u * N, v[u]), total += v[u];
    }
    for (; i < classes; i += N) {
        F(temper)(z + i, highest, rate, v, 1);
        F(store)(z + i, v[0]), total += v[0];
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

/* One row of one sample; `ready` as in winner_of. */
INLINE void F(draw_row)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t number,
                        int dtype) {
    const int64_t classes = job->classes, place = sample * job->rows + number, bytes = classes * F(width)(dtype);
    const struct F(row) row = F(row_of)(job, number, dtype);
    const REAL tau = F(tau_of)(job, number);
    const int empty = row.top == -INFINITE, bad = row.top != row.top, operation = (int)job->operation;
    char *out = job->out + place * bytes;
    if (operation == OP_HARD_BACKWARD) {
        if (bad || empty || tau == 0) F(fill)(out, classes, dtype, 0);
        else {
            REAL total = F(weights)(s, ready, job, sample, number, &row, tau, dtype, job->grad + place * bytes);
            F(backward_from)(job->grad + place * bytes, s->z, 1 / total, classes, tau, out, dtype);
        }
        return;
    }
    int64_t found = -1;
    if (operation != OP_SOFT || tau == 0) {
        if (!bad && !empty) found = F(winner_of)(s, ready, job, sample, number, &row, dtype);
        if (job->index) job->index[place] = found;
        if (operation == OP_INDEX) return;
    } else if (!bad && !empty) {
        REAL scale = 1 / F(weights)(s, ready, job, sample, number, &row, tau, dtype, NULL);
        for (int64_t i = 0; i < classes; i += N) F(put)(out, i, classes - i, dtype, F(load)(s->z + i) * scale);
        return;
    }
    F(fill)(out, classes, dtype, bad ? (REAL)__builtin_nan("") : (REAL)0);
    if (found >= 0) F(put_one)(out, found, dtype, 1);
}

/* How many rows share a tile. */
static int64_t F(rows_in_tile)(int64_t classes) {
    const int64_t blocks = (classes + 3) / 4;
    return blocks >= TILE / 16 ? 1 : TILE / 4 / blocks;
}

static int F(draw)(const struct job *job, int64_t begin, int64_t end, int dtype) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4, group = F(rows_in_tile)(classes);
    const int searching = job->operation == OP_INDEX || job->operation == OP_HARD;
    struct F(scratch) s;
    s.z = s.small;
    if (classes > TILE && !searching) {
        s.z = malloc((size_t)(classes + SPARE) * sizeof(REAL));
        if (!s.z) return -1;
    }
    set_key(&s.tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        if (classes <= TILE) {
            F(make)(&s.tile, job, sample, row, rows, 0, classes);
            if (!searching || !F(bounded)(classes)) F(noise_into)(&s.tile, s.noise, F(law_of)(job));
        }
        for (int64_t r = 0; r < rows; r++)
            F(draw_row)(&s, classes <= TILE ? r * 4 * blocks : -1, job, sample, row + r, dtype);
        begin += rows;
    }
    if (s.z != s.small) free(s.z);
    return 0;
}

/* Noise alone. */
static void F(noises)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes, group = F(rows_in_tile)(classes);
    struct F(scratch) s;
    set_key(&s.tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        for (int64_t from = 0; from < classes; from += TILE) {
            int64_t to = from + TILE < classes ? from + TILE : classes;
            F(make)(&s.tile, job, sample, row, rows, from, to);
            switch (job->law) {
            case LAW_GUMBEL: F(noise_into)(&s.tile, s.noise, LAW_GUMBEL); break;
            case LAW_LOGISTIC: F(noise_into)(&s.tile, s.noise, LAW_LOGISTIC); break;
            case LAW_EXPONENTIAL: F(noise_into)(&s.tile, s.noise, LAW_EXPONENTIAL); break;
            default: F(noise_into)(&s.tile, s.noise, LAW_UNIFORM);
            }
            for (int64_t r = 0; r < rows; r++)
                memcpy((REAL *)job->out + (begin + r) * classes + from, s.noise + r * 4 * s.tile.across,
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
