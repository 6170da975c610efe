/* The operations on rows, in one precision: a template, included for REAL = float and REAL = double. */

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

INLINE void F(put)(char *to, int64_t i, int64_t left, int dtype, V x) {
    to += i * F(width)(dtype);
    if (F(width)(dtype) == sizeof(REAL)) {
        if (left < N) F(store_part)((REAL *)to, left, x);
        else memcpy(to, &x, sizeof x);
        return;
    }
#if defined(HALVES)
    uint16_t edge[N], *halves = left < N ? edge : (uint16_t *)to;
    if (dtype == DT_FLOAT16) to_half(halves, x);
    else {
        vi bits = (vi)x, even = (bits >> 16) & 1, rounded = (bits + 0x7FFF + even) >> 16;
        /* NaN must not be rounded into infinity. */
        rounded = iless32(set32(-INFINITE), (vf)(bits & SIGN_OFF), rounded, (vi){0} + 0x7FC0);
        narrow16(halves, rounded & 0xFFFF);
    }
    if (left < N) store_part16((uint16_t *)to, edge, left);
#endif
}

INLINE void F(fill)(char *to, int64_t classes, int dtype, REAL value) {
    for (int64_t i = 0; i < classes; i += N) F(put)(to, i, classes - i, dtype, (V){0} + value);
}

/* The row in x, masked and padded with -inf; its maximum, which is -inf for an empty row and NaN for a bad one. */
INLINE REAL F(prepare)(const struct job *job, int64_t row, int dtype, REAL *x) {
    const int64_t classes = job->classes;
    const char *from = job->logits + row * classes * F(width)(dtype);
    V top = (V){0} - INFINITE;
    VI size = (VI){0};
    if (job->mask) {
        const uint8_t *mask = job->mask + row * job->mask_stride;
        for (int64_t i = 0; i < classes; i += N) {
            V v = F(get)(from, i, classes - i, dtype, -INFINITE);
            memcpy(x + i, &v, sizeof v);
        }
        for (int64_t i = 0; i < classes; i++) x[i] = mask[i] ? x[i] : -INFINITE;
        for (int64_t i = 0; i < classes; i += N) {
            V v;
            memcpy(&v, x + i, sizeof v);
            top = F(max)(top, v);
            size = F(imax)(size, (VI)v & SIGN_OFF);
        }
    } else {
        for (int64_t i = 0; i < classes; i += N) {
            V v = F(get)(from, i, classes - i, dtype, -INFINITE);
            memcpy(x + i, &v, sizeof v);
            top = F(max)(top, v);
            size = F(imax)(size, (VI)v & SIGN_OFF);
        }
    }
    REAL best = F(highest)(top);
    int bad = F(any_negative)((VI){0} + INFINITE_BITS - size) || best == INFINITE;
    return bad ? (REAL)__builtin_nan("") : best;
}

/* x - top + noise in place of x[from, to); returns the largest so far. */
INLINE V F(perturb)(REAL *x, const REAL *noise, int64_t from, int64_t to, REAL top, V best) {
    for (int64_t i = from; i < to; i += N) {
        V v, g;
        memcpy(&v, x + i, sizeof v);
        memcpy(&g, noise + i - from, sizeof g);
        v = (v - top) + g;
        memcpy(x + i, &v, sizeof v);
        best = F(max)(best, v);
    }
    return best;
}

INLINE int64_t F(argbest)(const REAL *z, int64_t classes) {
    V best = (V){0} - INFINITE;
    VI where = (VI){0} - 1, here, step = (VI){0} + N;
    for (int lane = 0; lane < N; lane++) here[lane] = lane;
    for (int64_t i = 0; i < classes; i += N, here += step) {
        V v;
        memcpy(&v, z + i, sizeof v);
        where = F(iless)(best, v, here, where);
        best = F(max)(best, v);
    }
    return F(first_with)(best, where, F(highest)(best));
}

INLINE void F(softmax)(REAL *z, int64_t classes, REAL best, REAL rate, char *out, int dtype) {
    V total = (V){0};
    for (int64_t i = 0; i < classes; i += N) {
        V v;
        memcpy(&v, z + i, sizeof v);
        v = F(exp)((v - best) * rate);
        memcpy(z + i, &v, sizeof v);
        total += v;
    }
    REAL scale = 1 / F(total)(total);
    for (int64_t i = 0; i < classes; i += N) {
        V v;
        memcpy(&v, z + i, sizeof v);
        F(put)(out, i, classes - i, dtype, v * scale);
    }
}

/* The gradient of the logits; `out` may be the tensor of y. */
INLINE void F(backward)(const char *grad, const char *y, int64_t classes, REAL tau, char *out, int dtype) {
    V dot = (V){0};
    REAL rate = tau == 0 ? 0 : 2 / tau < LARGEST ? 2 / tau : LARGEST;
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

/* What becomes of a row whose scores are in z. */
INLINE void F(finish)(const struct job *job, int64_t sample, int64_t row, REAL *z, REAL top, V bests, int dtype) {
    const int64_t classes = job->classes, place = sample * job->rows + row, bytes = classes * F(width)(dtype);
    char *out = job->out + row * bytes;
    int empty = top == -INFINITE, bad = top != top;
    int64_t found = -1;
    REAL tau = job->row_tau ? ((const REAL *)job->row_tau)[row] : (REAL)job->tau;
    int sharp = (job->operation == OP_SOFT || job->operation == OP_HARD_BACKWARD) && tau == 0;
    if (job->operation == OP_INDEX || job->operation == OP_HARD || sharp) {
        if (!empty && !bad) found = F(argbest)(z, classes);
        if (job->index) job->index[place] = found;
        if (job->operation == OP_INDEX) return;
    }
    if (bad || empty || found >= 0) {
        F(fill)(out, classes, dtype, bad ? (REAL)__builtin_nan("") : (REAL)0);
        if (found >= 0) {
            char one[sizeof(V)];
            F(put)(one, 0, N, dtype, (V){0} + (REAL)1);
            memcpy(out + found * F(width)(dtype), one, (size_t)F(width)(dtype));
        }
    } else {
        /* Neither 0 nor infinite, either of which could make NaN of an infinite distance or of none. */
        REAL rate = 1 / tau < LARGEST ? 1 / tau : LARGEST;
        rate = rate > SMALLEST ? rate : SMALLEST;
        F(softmax)(z, classes, F(highest)(bests), rate, out, dtype);
    }
    if (job->operation == OP_HARD_BACKWARD) F(backward)(job->grad + row * bytes, out, classes, tau, out, dtype);
}

/* At tau = inf only what is allowed matters. */
INLINE void F(level)(REAL *x, int64_t classes, REAL top) {
    for (int64_t i = 0; i < classes; i++) x[i] = x[i] == -INFINITE ? -INFINITE : top;
}

static int F(draw)(const struct job *job, int64_t begin, int64_t end, int dtype) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4;
    const int64_t group = blocks >= TILE / 8 ? 1 : TILE / 4 / blocks;
    struct tile tile;
    REAL noise[TILE + 64], small[TILE + 64];
    REAL *x = classes <= TILE ? small : malloc((size_t)(classes + 64) * sizeof(REAL));
    if (!x) return -1;
    set_key(&tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        int whole = classes <= TILE;
        memset(noise + TILE, 0, 64 * sizeof(REAL));
        if (whole) {
            set_counters(&tile, job->offset + (uint64_t)row, rows, 0, blocks, (uint32_t)sample);
            F(noise)(&tile, noise, LAW_GUMBEL);
            memset(noise + 4 * tile.blocks, 0, 64 * sizeof(REAL));
        }
        for (int64_t r = 0; r < rows; r++) {
            V bests = (V){0} - INFINITE;
            REAL top = F(prepare)(job, row + r, dtype, x);
            REAL tau = job->row_tau ? ((const REAL *)job->row_tau)[row + r] : (REAL)job->tau;
            if (top == top && top != -INFINITE) {
                if (tau == INFINITE && job->operation != OP_HARD && job->operation != OP_INDEX) {
                    F(level)(x, classes, 0);
                    bests = (V){0};
                } else if (whole) bests = F(perturb)(x, noise + r * 4 * blocks, 0, classes, top, bests);
                else
                    for (int64_t from = 0; from < classes; from += TILE) {
                        int64_t to = from + TILE < classes ? from + TILE : classes;
                        set_counters(&tile, job->offset + (uint64_t)(row + r), 1, from / 4, (to - from + 3) / 4,
                                     (uint32_t)sample);
                        F(noise)(&tile, noise, LAW_GUMBEL);
                        memset(noise + 4 * tile.blocks, 0, 64 * sizeof(REAL));
                        bests = F(perturb)(x, noise, from, to, top, bests);
                    }
            }
            F(finish)(job, sample, row + r, x, top, bests, dtype);
        }
        begin += rows;
    }
    if (x != small) free(x);
    return 0;
}

static void F(noises)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes;
    struct tile tile;
    REAL noise[TILE + 64];
    set_key(&tile, job->seed);
    for (int64_t i = begin; i < end; i++)
        for (int64_t from = 0; from < classes; from += TILE) {
            int64_t to = from + TILE < classes ? from + TILE : classes;
            set_counters(&tile, job->offset + (uint64_t)(i % job->rows), 1, from / 4, (to - from + 3) / 4,
                         (uint32_t)(i / job->rows));
            switch (job->law) {
            case LAW_GUMBEL: F(noise)(&tile, noise, LAW_GUMBEL); break;
            case LAW_LOGISTIC: F(noise)(&tile, noise, LAW_LOGISTIC); break;
            case LAW_EXPONENTIAL: F(noise)(&tile, noise, LAW_EXPONENTIAL); break;
            default: F(noise)(&tile, noise, LAW_UNIFORM);
            }
            memcpy((REAL *)job->out + i * classes + from, noise, (size_t)(to - from) * sizeof(REAL));
        }
}

INLINE int F(run)(const struct job *job, int64_t begin, int64_t end, int dtype) {
    if (job->operation == OP_NOISE) {
        F(noises)(job, begin, end);
        return 0;
    }
    if (job->operation == OP_SOFT_BACKWARD) {
        const int64_t bytes = job->classes * F(width)(dtype);
        for (int64_t row = begin; row < end; row++) {
            REAL tau = job->row_tau ? ((const REAL *)job->row_tau)[row] : (REAL)job->tau;
            F(backward)(job->grad + row * bytes, job->logits + row * bytes, job->classes, tau, job->out + row * bytes,
                        dtype);
        }
        return 0;
    }
    return F(draw)(job, begin, end, dtype);
}

#undef REAL
#undef V
#undef VI
#undef N
#undef F
#undef INFINITE
#undef LARGEST
#undef SMALLEST
#undef INFINITE_BITS
#undef SIGN_OFF
