/* Template (rows/dtypes.h): the soft sample of a row, before it is divided by its sum. */

/* 1 / tau, neither 0 nor infinite, either of which could make NaN of an infinite distance or of none. */
INLINE REAL F(rate_of)(REAL tau) {
    REAL rate = 1 / tau < LARGEST ? 1 / tau : LARGEST;
    return rate > SMALLEST ? rate : SMALLEST;
}

/* exp(logit - top) / E of `n` vectors of a row, from exponential noise. */
INLINE void F(exponential_race)(const struct F(row) *row, int64_t i, const REAL *noise, V *w, const int n,
                                const int whole) {
    EACH w[u] = F(logits)(row, i + u * N, whole) - row->top;
    R(exp)(w, n);
    EACH w[u] = w[u] / F(load)(noise + u * N);
}
/* exp((score - best) / tau) of `n` vectors of scores. */
INLINE void F(tempered)(const REAL *z, REAL best, REAL rate, V *w, const int n) {
    EACH w[u] = (F(load)(z + u * N) - best) * rate;
    R(exp)(w, n);
}

/* Ask for the memory that is worked on next, while there is arithmetic to do: the next row of logits, the gradient of
   this one (or NULL) and its output, from element i. */
INLINE void F(prefetch)(const STORED *next, const STORED *grad, const STORED *out, int64_t i) {
    for (int u = 0; u < ABREAST; u++) {
        __builtin_prefetch(next + i + u * N);
        __builtin_prefetch(out + i + u * N, 1);
        if (grad) __builtin_prefetch(grad + i + u * N);
    }
}

/* The unnormalised soft sample of one row in z, and its sum; `ready` as in winner_of. */
static __attribute__((noinline)) REAL F(weights)(struct F(scratch) *s, int64_t ready, const struct job *job,
                                                 int64_t sample, int64_t row_number, const struct F(row) *row, REAL tau) {
    const int64_t classes = row->classes, start = (sample * job->rows + row_number) * job->stride;
    const REAL rate = F(rate_of)(tau);
    const int law = F(law_of)(job);
    const STORED *next = row->logits + job->stride, *out = (const STORED *)job->out + start;
    const STORED *grad = job->grad ? (const STORED *)job->grad + start : NULL;
    REAL *z = s->z;
    V best = (V){0} - INFINITE, total = (V){0}, v[ABREAST];
    if (tau == INFINITE) { /* only what is allowed matters */
        for (int64_t i = 0; i < classes; i += N) {
            V one = R(where_less)((V){0} - INFINITE, F(logits)(row, i, 0), (V){0} + 1, (V){0});
            F(store)(z + i, one);
            total += one;
        }
        return R(total)(total);
    }
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t to = from + TILE < classes ? from + TILE : classes, i = from;
        const REAL *noise = s->noise + (ready < 0 ? 0 : ready);
        if (ready < 0) {
            F(fill_tile)(&s->tile, job, sample, row_number, 1, from, to);
            F(make_noise)(&s->tile, s->noise, law);
        }
        if (tau == 1) {
            for (; i + ABREAST * N <= to; i += ABREAST * N, noise += ABREAST * N) {
                F(exponential_race)(row, i, noise, v, ABREAST, 1);
                for (int u = 0; u < ABREAST; u++) F(store)(z + i + u * N, v[u]), total += v[u];
                F(prefetch)(next, grad, out, i);
            }
            for (; i < to; i += N, noise += N) {
                F(exponential_race)(row, i, noise, v, 1, 0);
                F(store)(z + i, v[0]), total += v[0];
            }
        } else {
            for (; i + ABREAST * N <= to; i += ABREAST * N, noise += ABREAST * N) {
                F(score)(row, i, noise, law, v, ABREAST, 1);
                for (int u = 0; u < ABREAST; u++) F(store)(z + i + u * N, v[u]), best = R(max)(best, v[u]);
                F(prefetch)(next, grad, out, i);
            }
            for (; i < to; i += N, noise += N) {
                F(score)(row, i, noise, law, v, 1, 0);
                F(store)(z + i, v[0]), best = R(max)(best, v[0]);
            }
        }
    }
    if (tau == 1) return R(total)(total);
    const REAL highest = R(highest)(best);
    int64_t i = 0;
    for (; i + ABREAST * N <= classes; i += ABREAST * N) {
        F(tempered)(z + i, highest, rate, v, ABREAST);
        for (int u = 0; u < ABREAST; u++) F(store)(z + i + u * N, v[u]), total += v[u];
    }
    for (; i < classes; i += N) {
        F(tempered)(z + i, highest, rate, v, 1);
        F(store)(z + i, v[0]), total += v[0];
    }
    return R(total)(total);
}
