/* Template (dtypes.h): the operations, row by row. */

/* The gradient of the logits from the soft sample: y (g - y . g) / tau; g is halved, because the difference of two
   gradients may overflow where the result does not. */
INLINE REAL F(double_rate)(REAL tau) { return tau == 0 ? 0 : 2 / tau < LARGEST ? 2 / tau : LARGEST; }

static void F(backward)(const STORED *grad, const STORED *y, int64_t classes, REAL tau, STORED *out) {
    const REAL rate = F(double_rate)(tau), half = (REAL)0.5;
    const int64_t whole = classes - classes % N, left = classes - whole;
    V dot = (V){0};
    for (int64_t i = 0; i < whole; i += N) dot = R(fma)(F(get)(y, i), F(get)(grad, i) * half, dot);
    if (left) dot = R(fma)(F(get_some)(y, whole, left, 0), F(get_some)(grad, whole, left, 0) * half, dot);
    const REAL mean = R(total)(dot);
    const V first = F(get_some)(y, 0, 1, 0);
    if (first[0] != first[0]) { /* a row of NaN moves with no logit */
        F(fill)(out, classes, 0);
        return;
    }
    for (int64_t i = 0; i < whole; i += N) F(put)(out, i, F(get)(y, i) * (F(get)(grad, i) * half - mean) * rate);
    if (left) {
        V v = F(get_some)(y, whole, left, 0), g = F(get_some)(grad, whole, left, 0);
        F(put_some)(out, whole, left, v * (g * half - mean) * rate);
    }
}

/* The same from unnormalised weights in z, with the roundings of a sample that was stored in between. */
static void F(backward_from)(const STORED *grad, REAL *z, REAL scale, int64_t classes, REAL tau, STORED *out) {
    const REAL rate = F(double_rate)(tau), half = (REAL)0.5;
    const int64_t whole = classes - classes % N, left = classes - whole;
    V dot = (V){0}, v;
    for (int64_t i = 0; i < whole; i += N) {
        v = F(rounded)(F(load)(z + i) * scale);
        F(store)(z + i, v);
        dot = R(fma)(v, F(get)(grad, i) * half, dot);
    }
    if (left) {
        v = F(rounded)(F(load)(z + whole) * scale);
        F(store)(z + whole, v);
        dot = R(fma)(v, F(get_some)(grad, whole, left, 0) * half, dot);
    }
    const REAL mean = R(total)(dot);
    for (int64_t i = 0; i < whole; i += N) F(put)(out, i, F(load)(z + i) * (F(get)(grad, i) * half - mean) * rate);
    if (left) {
        v = F(load)(z + whole) * (F(get_some)(grad, whole, left, 0) * half - mean) * rate;
        F(put_some)(out, whole, left, v);
    }
}

INLINE void F(normalise)(const REAL *z, REAL scale, int64_t classes, STORED *out) {
    int64_t i = 0;
    for (; i + N <= classes; i += N) F(put)(out, i, F(load)(z + i) * scale);
    if (i < classes) F(put_some)(out, i, classes - i, F(load)(z + i) * scale);
}

/* One row of one sample; `ready` as in winner_of. */
INLINE void F(draw_row)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t number) {
    const int64_t classes = job->classes, place = sample * job->rows + number;
    const struct F(row) row = F(row_of)(job, number);
    const REAL tau = F(tau_of)(job, number);
    const int empty = row.top == -INFINITE, bad = row.top != row.top, operation = (int)job->operation;
    STORED *out = (STORED *)job->out + place * classes;
    if (operation == OP_TOP_K) {
        int64_t *best = job->index + place * job->draws;
        if (!bad && !empty) F(best_of)(s, ready, job, sample, number, &row, best);
        else for (int64_t i = 0; i < job->draws; i++) best[i] = -1;
        return;
    }
    if (operation == OP_HARD_BACKWARD) {
        if (bad || empty || tau == 0) F(fill)(out, classes, 0);
        else {
            REAL total = F(weights)(s, ready, job, sample, number, &row, tau);
            F(backward_from)((const STORED *)job->grad + place * classes, s->z, 1 / total, classes, tau, out);
        }
        return;
    }
    int64_t found = -1;
    if (operation != OP_SOFT || tau == 0) {
        if (!bad && !empty) found = F(winner_of)(s, ready, job, sample, number, &row);
        if (job->index) job->index[place] = found;
        if (operation == OP_INDEX) return;
    } else if (!bad && !empty) {
        F(normalise)(s->z, 1 / F(weights)(s, ready, job, sample, number, &row, tau), classes, out);
        return;
    }
    F(fill)(out, classes, bad ? (REAL)__builtin_nan("") : (REAL)0);
    if (found >= 0) F(put_one)(out, found);
}

static int F(draw)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4, group = F(rows_in_tile)(classes);
    const int searching = job->operation == OP_INDEX || job->operation == OP_HARD;
    struct F(scratch) s;
    s.z = s.small;
    if (classes > TILE && !searching && job->operation != OP_TOP_K) {
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
        if (F(is_narrow)(classes) && job->operation != OP_TOP_K)
            for (int64_t r = 0; r < rows; r += N)
                F(draw_narrow)(job, sample, row + r, rows - r < N ? rows - r : N, s.noise + r * 4 * blocks);
        else for (int64_t r = 0; r < rows; r++)
            F(draw_row)(&s, classes <= TILE ? r * 4 * blocks : -1, job, sample, row + r);
        begin += rows;
    }
    if (s.z != s.small) free(s.z);
    return 0;
}

/* Noise alone, which comes in float32 and float64 only. */
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

static int F(run)(const struct job *job, int64_t begin, int64_t end) {
    if (job->operation == OP_NOISE) {
        F(noises)(job, begin, end);
        return 0;
    }
    if (job->operation == OP_REINMAX_BACKWARD) return F(reinmax)(job, begin, end);
    if (job->operation == OP_RAO_BACKWARD) return F(average)(job, begin, end);
    if (job->operation != OP_SOFT_BACKWARD) return F(draw)(job, begin, end);
    const STORED *grad = (const STORED *)job->grad, *y = (const STORED *)job->logits;
    if (F(is_narrow)(job->classes)) {
        for (int64_t row = begin; row < end; row += N) F(backward_narrow)(job, row, end - row < N ? end - row : N);
        return 0;
    }
    for (int64_t row = begin; row < end; row++) {
        const int64_t at = row * job->classes;
        F(backward)(grad + at, y + at, job->classes, F(tau_of)(job, row), (STORED *)job->out + at);
    }
    return 0;
}
