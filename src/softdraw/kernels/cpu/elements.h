/* Tensors of any dtype as vectors of REAL: a template, included for REAL = float and REAL = double. */

INLINE int F(width)(int dtype) { return dtype == DT_FLOAT64 ? 8 : dtype == DT_FLOAT32 ? 4 : 2; }

/* N elements from a tensor; `left` of them exist, and the other lanes become `fill`. */
INLINE V F(get)(const char *from, int64_t i, int64_t left, int dtype, REAL fill) {
    V x = {0};
    from += i * F(width)(dtype);
    if (F(width)(dtype) == sizeof(REAL)) {
        if (left < N) return F(load_part)((const REAL *)from, left, fill);
        memcpy(&x, from, sizeof x);
        return x;
    }
#if defined(HALVES)
    uint16_t edge[N] = {0};
    const uint16_t *halves = (const uint16_t *)from;
    if (left < N) {
        load_part16(edge, halves, left);
        halves = edge;
    }
    x = dtype == DT_FLOAT16 ? from_half(halves) : from_bfloat(halves);
    for (int64_t lane = left; lane < N; lane++) x[lane] = fill;
#endif
    return x;
}

#if defined(HALVES)
INLINE void F(narrow)(uint16_t *to, V x, int dtype) {
    if (dtype == DT_FLOAT16) to_half(to, x);
    else {
        vi bits = (vi)x, even = (bits >> 16) & 1, rounded = (bits + 0x7FFF + even) >> 16;
        /* NaN must not be rounded into infinity. */
        rounded = iless32(set32(-INFINITE), (vf)(bits & SIGN_OFF), rounded, (vi){0} + 0x7FC0);
        narrow16(to, rounded & 0xFFFF);
    }
}
#endif

INLINE void F(put)(char *to, int64_t i, int64_t left, int dtype, V x) {
    to += i * F(width)(dtype);
    if (F(width)(dtype) == sizeof(REAL)) {
        if (left < N) F(store_part)((REAL *)to, left, x);
        else memcpy(to, &x, sizeof x);
        return;
    }
#if defined(HALVES)
    uint16_t edge[N], *halves = left < N ? edge : (uint16_t *)to;
    F(narrow)(halves, x, dtype);
    if (left < N) store_part16((uint16_t *)to, edge, left);
#endif
}

/* x as it will be read back from a tensor of the dtype. */
INLINE V F(rounded)(V x, int dtype) {
#if defined(HALVES)
    uint16_t halves[N];
    if (F(width)(dtype) == sizeof(REAL)) return x;
    F(narrow)(halves, x, dtype);
    return dtype == DT_FLOAT16 ? from_half(halves) : from_bfloat(halves);
#else
    (void)dtype;
    return x;
#endif
}

INLINE void F(put_one)(char *to, int64_t i, int dtype, REAL value) {
    char one[sizeof(V)];
    F(put)(one, 0, N, dtype, (V){0} + value);
    memcpy(to + i * F(width)(dtype), one, (size_t)F(width)(dtype));
}

INLINE void F(fill)(char *to, int64_t classes, int dtype, REAL value) {
    if (value == 0) memset(to, 0, (size_t)(classes * F(width)(dtype)));
    else
        for (int64_t i = 0; i < classes; i += N) F(put)(to, i, classes - i, dtype, (V){0} + value);
}

INLINE V F(load)(const REAL *from) {
    V x;
    memcpy(&x, from, sizeof x);
    return x;
}
INLINE void F(store)(REAL *to, V x) { memcpy(to, &x, sizeof x); }

/* One row of logits. */
struct F(row) {
    const char *logits;
    const uint8_t *mask; /* or NULL */
    int64_t classes;
    REAL top; /* the largest allowed logit: -inf for an empty row, NaN for a row with NaN or +inf */
};

/* Logits from i, -inf where a class is not allowed or does not exist. */
INLINE V F(logits)(const struct F(row) *row, int64_t i, int dtype) {
    V x = F(get)(row->logits, i, row->classes - i, dtype, -INFINITE);
    return row->mask ? F(masked)(x, row->mask + i, row->classes - i) : x;
}

INLINE struct F(row) F(row_of)(const struct job *job, int64_t row, int dtype) {
    struct F(row) found = {
        job->logits + row * job->classes * F(width)(dtype),
        job->mask ? job->mask + row * job->mask_stride : NULL,
        job->classes,
        0,
    };
    V top = (V){0} - INFINITE;
    VI size = (VI){0};
    for (int64_t i = 0; i < found.classes; i += N) {
        V x = F(logits)(&found, i, dtype);
        top = F(max)(top, x);
        size = F(imax)(size, (VI)x & SIGN_OFF);
    }
    REAL best = F(highest)(top);
    int bad = F(any_negative)((VI){0} + INFINITE_BITS - size) || best == INFINITE;
    found.top = bad ? (REAL)__builtin_nan("") : best;
    return found;
}

INLINE REAL F(tau_of)(const struct job *job, int64_t row) {
    return job->row_tau ? ((const REAL *)job->row_tau)[row] : (REAL)job->tau;
}

/* 1 / tau, neither 0 nor infinite, either of which could make NaN of an infinite distance or of none. */
INLINE REAL F(rate_of)(REAL tau) {
    REAL rate = 1 / tau < LARGEST ? 1 / tau : LARGEST;
    return rate > SMALLEST ? rate : SMALLEST;
}
