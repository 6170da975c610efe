/* Template (rows/dtypes.h): which class of a row has the best score. */

struct F(winner) {
    REAL best;
    int64_t index;
};

/* The best of classes [from, to), if it beats what was found before them; the first of equals wins. */
INLINE void F(search_all)(const REAL *noise, int law, const struct F(row) *row, int64_t from, int64_t to,
                          struct F(winner) *w) {
    V best = (V){0} - INFINITE;
    VI where = (VI){0} - 1, here, step = (VI){0} + N;
    for (int lane = 0; lane < N; lane++) here[lane] = lane;
    for (int64_t i = from; i < to; i += N, here += step) {
        V z;
        F(score)(row, i, noise + i - from, law, &z, 1, 0);
        where = R(where_less_int)(best, z, here, where);
        best = R(max)(best, z);
    }
    REAL highest = R(highest)(best);
    if (highest > w->best) w->best = highest, w->index = from + R(first_equal)(best, where, highest);
}

/* Whether bounds are looked at first, so that only the noise of what may win is made. */
INLINE int F(bounded)(int64_t classes) { return BOUNDED && classes > 4 * N; }

#if BOUNDED
/* One vector that may hold the winner; few do. */
static __attribute__((noinline)) void F(search_vector)(const struct tile *t, int64_t at, const struct F(row) *row,
                                                       int64_t i, struct F(winner) *w) {
    REAL noise[N];
    V gumbel;
    R(noise)(t, at, LAW_GUMBEL, &gumbel, 1);
    F(store)(noise, gumbel);
    F(search_all)(noise, LAW_GUMBEL, row, i, i + N < row->classes ? i + N : row->classes, w);
}

/* search_all for those vectors alone whose bound exceeds `limit`. */
static void F(search_above)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to,
                            REAL limit, const REAL *bounds, struct F(winner) *w) {
    const V least = (V){0} + limit;
    int64_t i = from;
    for (; i + 4 * N <= to; i += 4 * N) {
        const REAL *b = bounds + i - from;
        VI any = (VI)(least - F(load)(b)) | (VI)(least - F(load)(b + N));
        any |= (VI)(least - F(load)(b + 2 * N)) | (VI)(least - F(load)(b + 3 * N));
        if (__builtin_expect(R(any_negative)(any), 0))
            for (int u = 0; u < 4; u++)
                if (R(any_negative)((VI)(least - F(load)(b + u * N))))
                    F(search_vector)(t, at + i - from + u * N, row, i + u * N, w);
    }
    for (; i < to; i += N)
        if (R(any_negative)((VI)(least - F(load)(bounds + i - from)))) F(search_vector)(t, at + i - from, row, i, w);
}

/* The same as search_all: few classes can win, and what they stay below costs less than their noise. */
static __attribute__((noinline)) void F(search_by_bounds)(const struct tile *t, int64_t at, const struct F(row) *row,
                                                          int64_t from, int64_t to, REAL *bounds, struct F(winner) *w) {
    const V top = (V){0} + row->top;
    const STORED *next = row->logits + row->classes;
    V most = (V){0} - INFINITE;
    int64_t i = from;
    for (; i + N <= to; i += N) {
        V bound = (F(logits)(row, i, 1) - top) + R(gumbel_bound)(t, at + i - from);
        F(store)(bounds + i - from, bound);
        most = R(max)(most, bound);
        __builtin_prefetch(next + i); /* the next row of logits */
    }
    if (i < to) {
        V bound = (F(logits)(row, i, 0) - top) + R(gumbel_bound)(t, at + i - from);
        F(store)(bounds + i - from, bound);
        most = R(max)(most, bound);
    }
    REAL highest = R(highest)(most);
    if (highest <= w->best) return;
    /* The bound is rarely looser than this; where it was, those above the best score are looked at again. */
    const struct F(winner) before = *w;
    REAL limit = highest - (REAL)0.1 > before.best ? highest - (REAL)0.1 : before.best;
    F(search_above)(t, at, row, from, to, limit, bounds, w);
    if (w->best < limit) {
        limit = w->best;
        *w = before;
        F(search_above)(t, at, row, from, to, limit, bounds, w);
    }
}
#endif

/* The winner of one row. Its words lie at `ready` in the tile, and its noise in the same place, or ready is -1. */
INLINE int64_t F(winner_of)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t row_number,
                            const struct F(row) *row) {
    struct F(winner) w = {-INFINITE, -1};
    const int law = F(law_of)(job);
    for (int64_t from = 0; from < row->classes; from += TILE) {
        int64_t to = from + TILE < row->classes ? from + TILE : row->classes, at = ready;
        if (ready < 0) F(fill_tile)(&s->tile, job, sample, row_number, 1, from, to), at = 0;
#if BOUNDED
        if (F(bounded)(row->classes)) {
            F(search_by_bounds)(&s->tile, at, row, from, to, s->small, &w);
            continue;
        }
#endif
        if (ready < 0) F(make_noise)(&s->tile, s->noise, law);
        F(search_all)(s->noise + at, law, row, from, to, &w);
    }
    return w.index;
}
