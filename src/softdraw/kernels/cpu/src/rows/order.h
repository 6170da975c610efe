/* Template (rows/dtypes.h): the k best classes of a row in order, best first and of equals the first. */

struct F(order) {
    REAL kept[MOST_TOP], limit; /* scores; the k-th of them, or -inf where there are fewer */
    int64_t count, k, *index;
};

INLINE void F(start_order)(struct F(order) *o) { o->count = 0, o->limit = -INFINITE; }

/* One vector of scores, that of the classes from i, or of `classes`, in their order. */
INLINE void F(rank)(struct F(order) *o, V z, int64_t i, const int64_t *classes) {
    unsigned better = R(signs)((VI)(o->limit - z));
    if (__builtin_expect(!better, 1)) return;
    REAL scores[N];
    F(store)(scores, z);
    for (; better; better &= better - 1) {
        const int lane = __builtin_ctz(better);
        const REAL score = scores[lane];
        if (!(score > o->limit)) continue;
        int64_t at = o->count < o->k ? o->count++ : o->k - 1;
        for (; at > 0 && o->kept[at - 1] < score; at--) o->kept[at] = o->kept[at - 1], o->index[at] = o->index[at - 1];
        o->kept[at] = score, o->index[at] = classes ? classes[lane] : i + lane;
        if (o->count == o->k) o->limit = o->kept[o->k - 1];
    }
}

INLINE void F(rank_all)(const REAL *noise, const struct F(row) *row, int64_t from, int64_t to, struct F(order) *o) {
    for (int64_t i = from; i < to; i += N) {
        V z;
        F(score)(row, i, noise + i - from, LAW_GUMBEL, &z, 1, 0);
        F(rank)(o, z, i, NULL);
    }
}

/* Whether bounds are looked at first: where few vectors of classes hold one of the k best. */
INLINE int F(order_bounded)(int64_t classes, int64_t k) { return F(bounded)(classes) && classes >= 32 * k; }

#if BOUNDED
static __attribute__((noinline)) void F(rank_vector)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t i,
                                                     struct F(order) *o) {
    REAL noise[N];
    V gumbel;
    R(noise)(t, at, LAW_GUMBEL, &gumbel, 1);
    F(store)(noise, gumbel);
    F(rank_all)(noise, row, i, i + N < row->classes ? i + N : row->classes, o);
}

/* rank_all for those vectors alone whose bound exceeds `guess` and the k-th score so far. */
static void F(rank_above)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, REAL guess,
                          const REAL *bounds, struct F(order) *o) {
    for (int64_t i = from; i < to; i += 4 * N) {
        const V least = (V){0} + (guess > o->limit ? guess : o->limit);
        const int64_t left = to - i < 4 * N ? to - i : 4 * N;
        const REAL *b = bounds + i - from;
        VI any = (VI)(least - F(load)(b));
        for (int64_t u = N; u < left; u += N) any |= (VI)(least - F(load)(b + u));
        if (__builtin_expect(!R(any_negative)(any), 1)) continue;
        for (int64_t u = 0; u < left; u += N)
            if (R(any_negative)((VI)(least - F(load)(b + u)))) F(rank_vector)(t, at + i - from + u, row, i + u, o);
    }
}

/* rank_all for those classes alone whose bound exceeds `guess`, packed. 0, and nothing done, where they are too many. */
static int F(rank_packed)(const struct tile *t, int64_t at, const struct F(row) *row, int64_t from, int64_t to, REAL guess,
                          const REAL *bounds, struct F(order) *o) {
    const V least = (V){0} + guess;
    enum { MOST = 6 * N }; /* for the k best of 2 N about 3 N are above */
    int64_t places[MOST + N], classes[MOST + N], count = 0;
    REAL scores[MOST + N], here[N];
    for (int64_t i = from; i < to; i += N) {
        unsigned above = R(signs)((VI)(least - F(load)(bounds + i - from)));
        if (__builtin_expect(!above, 1)) continue;
        if (count + N > MOST) return 0;
        F(store)(here, F(logits)(row, i, 0) - row->top);
        for (; above; above &= above - 1, count++) {
            const int lane = __builtin_ctz(above);
            places[count] = at + i + lane - from, classes[count] = i + lane, scores[count] = here[lane];
        }
    }
    for (int64_t c = count; c < count + N; c++) places[c] = at, scores[c] = -INFINITE;
    for (int64_t c = 0; c < count; c += N)
        F(rank)(o, F(load)(scores + c) + R(gumbel_at)(t, places + c), 0, classes + c);
    return 1;
}

/* The k-th largest of the lanes of four vectors, or a smaller one where some are equal. */
INLINE REAL F(kth_of_lanes)(V a[4], int64_t k) {
    const V none = (V){0} - INFINITE;
    for (;;) {
        const REAL highest = R(highest)(R(max)(R(max)(a[0], a[1]), R(max)(a[2], a[3])));
        if (--k == 0) return highest;
        for (int u = 0; u < 4; u++) a[u] = R(where_less)(a[u], (V){0} + highest, a[u], none);
    }
}

/* The same as rank_all: few classes can be among the k, and what they stay below costs less than their noise. */
static __attribute__((noinline)) void F(rank_by_bounds)(const struct tile *t, int64_t at, const struct F(row) *row,
                                                        int64_t from, int64_t to, REAL *bounds, struct F(order) *o) {
    const V top = (V){0} + row->top;
    const STORED *next = row->logits + row->classes;
    V most[4] = {(V){0} - INFINITE, (V){0} - INFINITE, (V){0} - INFINITE, (V){0} - INFINITE};
    int64_t i = from;
    for (; i + 4 * N <= to; i += 4 * N)
        for (int u = 0; u < 4; u++) {
            const V bound = (F(logits)(row, i + u * N, 1) - top) + R(gumbel_bound)(t, at + i + u * N - from);
            F(store)(bounds + i + u * N - from, bound);
            most[u] = R(max)(most[u], bound);
            __builtin_prefetch(next + i + u * N); /* the next row of logits */
        }
    for (; i < to; i += N) {
        const V bound = (F(logits)(row, i, 0) - top) + R(gumbel_bound)(t, at + i - from);
        F(store)(bounds + i - from, bound);
        most[0] = R(max)(most[0], bound);
    }
    /* At least k bounds are as high as the k-th of the highest of the lanes, and a bound is rarely looser than 0.1. Where it
       was, a score at the guess or below it is among the k, and all are looked at again. */
    if (o->count == 0 && o->k <= 2 * N) {
        const REAL guess = F(kth_of_lanes)(most, o->k) - (REAL)0.1;
        if (!F(rank_packed)(t, at, row, from, to, guess, bounds, o)) F(rank_above)(t, at, row, from, to, guess, bounds, o);
        if (o->limit > guess) return;
        F(start_order)(o);
    }
    F(rank_above)(t, at, row, from, to, -INFINITE, bounds, o);
}
#endif

/* The k best classes of one row; -1 where there are fewer. `ready` as in winner_of. */
static __attribute__((noinline)) void F(best_of)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample,
                                                 int64_t row_number, const struct F(row) *row, int64_t *out) {
    struct F(order) o;
    o.k = job->draws, o.index = out;
    F(start_order)(&o);
    for (int64_t from = 0; from < row->classes; from += TILE) {
        const int64_t to = from + TILE < row->classes ? from + TILE : row->classes, at = ready < 0 ? 0 : ready;
        if (ready < 0) F(fill_tile)(&s->tile, job, sample, row_number, 1, from, to);
#if BOUNDED
        if (F(order_bounded)(row->classes, o.k)) {
            F(rank_by_bounds)(&s->tile, at, row, from, to, s->small, &o);
            continue;
        }
#endif
        if (ready < 0) F(make_noise)(&s->tile, s->noise, LAW_GUMBEL);
        F(rank_all)(s->noise + at, row, from, to, &o);
    }
    /* A class may be allowed although its distance to the best one overflows. */
    for (int64_t i = 0; i < row->classes && o.count < o.k; i += N) {
        const V x = F(logits)(row, i, 0);
        for (int lane = 0; lane < N && o.count < o.k; lane++)
            if (x[lane] > -INFINITE && x[lane] - row->top == -INFINITE) out[o.count++] = i + lane;
    }
    for (; o.count < o.k; o.count++) out[o.count] = -1;
}
