/* Template (rows/dtypes.h): a tensor's elements as vectors of REAL, and rows of logits. */

/* N elements from i. */
INLINE V F(get)(const STORED *from, int64_t i) {
#if defined(HALF)
    return FROM_HALF(from + i);
#else
    V x;
    memcpy(&x, from + i, sizeof x);
    return x;
#endif
}
INLINE void F(put)(STORED *to, int64_t i, V x) {
#if defined(HALF)
    TO_HALF(to + i, x);
#else
    memcpy(to + i, &x, sizeof x);
#endif
}

/* Elements from i of which only `left` exist, less than N; the other lanes become `fill`. */
INLINE V F(get_some)(const STORED *from, int64_t i, int64_t left, REAL fill) {
#if defined(HALF)
    uint16_t edge[N] = {0};
    load_part16(edge, from + i, left);
    V x = FROM_HALF(edge);
    for (int64_t lane = left; lane < N; lane++) x[lane] = fill;
    return x;
#else
    return R(load_part)(from + i, left, fill);
#endif
}
INLINE void F(put_some)(STORED *to, int64_t i, int64_t left, V x) {
#if defined(HALF)
    uint16_t edge[N];
    TO_HALF(edge, x);
    store_part16(to + i, edge, left);
#else
    R(store_part)(to + i, left, x);
#endif
}

/* x as it is read back from a tensor. */
INLINE V F(rounded)(V x) {
#if defined(HALF)
    uint16_t halves[N];
    TO_HALF(halves, x);
    return FROM_HALF(halves);
#else
    return x;
#endif
}

INLINE void F(put_one)(STORED *to, int64_t i) { F(put_some)(to, i, 1, (V){0} + 1); }

INLINE void F(fill)(STORED *to, int64_t classes, REAL value) {
    int64_t i = 0;
    if (value == 0) {
        memset(to, 0, (size_t)classes * sizeof(STORED));
        return;
    }
    for (; i + N <= classes; i += N) F(put)(to, i, (V){0} + value);
    if (i < classes) F(put_some)(to, i, classes - i, (V){0} + value);
}

INLINE V F(load)(const REAL *from) {
    V x;
    memcpy(&x, from, sizeof x);
    return x;
}
INLINE void F(store)(REAL *to, V x) { memcpy(to, &x, sizeof x); }

/* One row of logits. */
struct F(row) {
    const STORED *logits;
    const uint8_t *mask; /* or NULL */
    int64_t classes;
    REAL top; /* the largest allowed logit: -inf for an empty row, NaN for a row with NaN or +inf */
};

/* Logits from i, -inf where a class is not allowed. With `whole` all N of them exist; the others are -inf, too. */
INLINE V F(logits)(const struct F(row) *row, int64_t i, const int whole) {
    const int64_t left = whole ? N : row->classes - i;
    V x = whole || left >= N ? F(get)(row->logits, i) : F(get_some)(row->logits, i, left, -INFINITE);
    return row->mask ? R(masked)(x, row->mask + i, left) : x;
}

INLINE struct F(row) F(row_of)(const struct job *job, int64_t row_number) {
    struct F(row) row = {
        (const STORED *)job->logits + row_number * job->stride,
        job->mask ? job->mask + row_number * job->mask_stride : NULL,
        job->classes,
        0,
    };
    V top = (V){0} - INFINITE;
    VI size = (VI){0};
    int64_t i = 0;
    for (; i + N <= row.classes; i += N) {
        V x = F(logits)(&row, i, 1);
        top = R(max)(top, x);
        size = R(max_int)(size, (VI)x & SIGN_OFF);
    }
    if (i < row.classes) {
        V x = F(logits)(&row, i, 0);
        top = R(max)(top, x);
        size = R(max_int)(size, (VI)x & SIGN_OFF);
    }
    REAL best = R(highest)(top);
    int bad = R(any_negative)((VI){0} + INFINITE_BITS - size) || best == INFINITE;
    row.top = bad ? (REAL)__builtin_nan("") : best;
    return row;
}

INLINE REAL F(tau_of)(const struct job *job, int64_t row) {
    return job->row_tau ? ((const REAL *)job->row_tau)[row * job->step] : (REAL)job->tau;
}

/* Memory of one thread: words and noise of a tile, and a row of scores. */
struct F(scratch) {
    struct tile tile;
    REAL noise[TILE + SPARE];
    REAL small[TILE + SPARE], *z; /* z is `small`, or longer */
};

INLINE void F(make_noise)(const struct tile *t, REAL *out, int law) {
    int64_t i = 0;
    for (; i < 4 * t->blocks; i += ABREAST * N) {
        V noise[ABREAST];
        R(noise)(t, i, law, noise, ABREAST);
        for (int u = 0; u < ABREAST; u++) F(store)(out + i + u * N, noise[u]);
    }
    F(store)(out + i, (V){0} + 1); /* read beside the last row's noise, so it must be a number */
}

/* Words of classes [from, to) of `rows` rows. */
static void F(fill_tile)(struct tile *t, const struct job *job, int64_t sample, int64_t row, int64_t rows, int64_t from,
                    int64_t to) {
    t->row = job->offset + (uint64_t)(row * job->step);
    t->step = job->step;
    t->sample = (uint32_t)sample;
    t->first = from / 4;
    t->across = (to - from + 3) / 4;
    t->blocks = rows * t->across;
    R(prepare)(t);
}

/* How many rows share a tile: few where each fills vectors of its own. */
INLINE int64_t F(rows_in_tile)(int64_t classes) {
    const int64_t blocks = (classes + 3) / 4;
    return blocks >= TILE / 16 ? 1 : TILE / 4 / blocks;
}

/* The law of the noise that a draw starts from. At tau = 1 its weights are exp(logit) / E, E the exponential noise,
   which spares the logarithm of Gumbel noise. Rows with temperatures of their own decide one by one. */
INLINE int F(law_of)(const struct job *job) {
    const int searching = job->operation == OP_INDEX || job->operation == OP_HARD || job->operation == OP_TOP_K;
    const int at_one = job->row_tau || job->tau == 1;
    return !searching && at_one && job->classes > N ? LAW_EXPONENTIAL : LAW_GUMBEL;
}

/* Scores logit - top + Gumbel noise of `n` vectors of a row. */
INLINE void F(score)(const struct F(row) *row, int64_t i, const REAL *noise, int law, V *z, const int n, const int whole) {
    EACH z[u] = F(load)(noise + u * N);
    if (law == LAW_EXPONENTIAL) R(minus_log)(z, n);
    EACH z[u] = (F(logits)(row, i + u * N, whole) - row->top) + z[u];
}
