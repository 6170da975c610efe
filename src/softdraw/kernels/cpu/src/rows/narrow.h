/* Template (rows/dtypes.h): rows of no more classes than a vector has lanes, N rows at a time. Their logits are
   transposed, so that a vector holds one class of all the rows, and what goes over the classes of a row needs no
   shuffling. */

INLINE int F(is_narrow)(int64_t classes) { return classes <= N; }

/* `rows` rows of a tensor as columns: to[c] holds class c of each. Rows that do not exist are 0. */
INLINE void F(columns)(const STORED *from, int64_t stride, int64_t classes, int64_t rows, V *to) {
    for (int64_t r = 0; r < N; r++) to[r] = r < rows ? F(get_some)(from + r * stride, 0, classes, 0) : (V){0};
    R(transpose)(to);
}
INLINE void F(columns_to)(V *columns, int64_t stride, int64_t classes, int64_t rows, STORED *to) {
    R(transpose)(columns);
    for (int64_t r = 0; r < rows; r++) F(put_some)(to + r * stride, 0, classes, columns[r]);
}

/* The gradient from the soft sample in columns; see gradients/softmax.h. */
INLINE void F(backward_columns)(V *y, V *g, int64_t classes, V rate) {
    V dot = (V){0};
    for (int64_t c = 0; c < classes; c++) {
        y[c] = R(where_less)(y[c], (V){0} + INFINITE, y[c], (V){0}); /* a row of NaN moves with no logit */
        g[c] *= (REAL)0.5;
        dot = R(fma)(y[c], g[c], dot);
    }
    for (int64_t c = 0; c < classes; c++) y[c] = y[c] * (g[c] - dot) * rate;
}

/* Temperatures of the rows from `row` on; 1 for rows that do not exist. */
INLINE V F(tau_of_rows)(const struct job *job, int64_t row, int64_t rows) {
    V tau = (V){0} + (REAL)job->tau;
    if (job->row_tau)
        for (int64_t r = 0; r < N; r++) tau[r] = r < rows ? ((const REAL *)job->row_tau)[(row + r) * job->step] : 1;
    return tau;
}
INLINE V F(double_rates)(V tau) {
    V rate = 2 / tau, largest = (V){0} + LARGEST;
    rate = R(where_less)(rate, largest, rate, largest);
    return R(where_less)((V){0}, tau, rate, (V){0});
}

static void F(backward_narrow)(const struct job *job, int64_t row, int64_t rows) {
    const int64_t classes = job->classes, stride = job->stride, at = row * stride;
    V y[N], g[N];
    F(columns)((const STORED *)job->logits + at, stride, classes, rows, y);
    F(columns)((const STORED *)job->grad + at, stride, classes, rows, g);
    F(backward_columns)(y, g, classes, F(double_rates)(F(tau_of_rows)(job, row, rows)));
    F(columns_to)(y, stride, classes, rows, (STORED *)job->out + at);
}

/* Draws for `rows` rows from `row` on, with their Gumbel noise at `noise`. */
static void F(draw_narrow)(const struct job *job, int64_t sample, int64_t row, int64_t rows, const REAL *noise) {
    const int64_t classes = job->classes, across = 4 * ((classes + 3) / 4), drawn_row = sample * job->rows + row;
    const int64_t stride = job->stride, at = drawn_row * stride;
    const int operation = (int)job->operation;
    const V lowest = (V){0} - INFINITE, infinite = (V){0} + INFINITE;
    STORED *out = (STORED *)job->out + at;
    V z[N], g[N], top = lowest, best = lowest;
    VI size = (VI){0}, where = (VI){0} - 1;
    for (int64_t r = 0; r < N; r++) {
        z[r] = r < rows ? F(get_some)((const STORED *)job->logits + (row + r) * stride, 0, classes, 0) : (V){0};
        if (r < rows && job->mask) z[r] = R(masked)(z[r], job->mask + (row + r) * job->mask_stride, classes);
        g[r] = F(load)(noise + (r < rows ? r : 0) * across);
    }
    R(transpose)(z);
    R(transpose)(g);
    for (int64_t c = 0; c < classes; c++) {
        top = R(max)(top, z[c]);
        size = R(max_int)(size, (VI)z[c] & SIGN_OFF);
    }
    /* Rows with NaN or +inf; a row with no allowed class scores -inf throughout. */
    const VI bad = (VI)(top == infinite) | (VI)(size > INFINITE_BITS);
    const V shift = R(where_less)(lowest, top, top, (V){0});
    const V tau = F(tau_of_rows)(job, row, rows);
    const VI sharp = (VI)(tau == 0), level = (VI)(tau == infinite);
    const VI allowed_anywhere = (VI)(top > lowest);
    if (operation == OP_INDEX || operation == OP_HARD || R(any_negative)(sharp)) {
        VI here = (VI){0};
        V most = lowest;
        for (int64_t c = 0; c < classes; c++, here += 1) {
            V score = (z[c] - shift) + g[c];
            where = R(where_less_int)(most, score, here, where);
            most = R(max)(most, score);
        }
        where = (where & ~bad & allowed_anywhere) | (bad | ~allowed_anywhere);
    }
    if (operation == OP_INDEX || operation == OP_HARD) {
        if (operation == OP_HARD && stride == classes) memset(out, 0, (size_t)(rows * classes) * sizeof(STORED));
        else if (operation == OP_HARD)
            for (int64_t r = 0; r < rows; r++) F(put_some)(out + r * stride, 0, classes, (V){0});
        for (int64_t r = 0; r < rows; r++) {
            if (job->index) job->index[(drawn_row + r) * job->step] = where[r];
            if (operation == OP_INDEX) continue;
            if (where[r] >= 0) F(put_one)(out + r * stride, where[r]);
            else if (bad[r]) F(fill)(out + r * stride, classes, (REAL)__builtin_nan(""));
        }
        return;
    }
    V rate = 1 / tau, total = (V){0};
    rate = R(where_less)(rate, (V){0} + LARGEST, rate, (V){0} + LARGEST);
    rate = R(where_less)((V){0} + SMALLEST, rate, rate, (V){0} + SMALLEST);
    for (int64_t c = 0; c < classes; c++) {
        V score = (z[c] - shift) + g[c];
        /* at tau = inf only what is allowed matters */
        z[c] = (V)((level & (VI)R(where_less)(lowest, z[c], (V){0}, lowest)) | (~level & (VI)score));
        best = R(max)(best, z[c]);
    }
    best = R(where_less)(lowest, best, best, (V){0});
    int64_t c = 0;
    for (; c + ABREAST <= classes; c += ABREAST) {
        const int n = ABREAST;
        EACH z[c + u] = (z[c + u] - best) * rate;
        R(exp)(z + c, n);
        EACH total += z[c + u];
    }
    for (; c < classes; c++) {
        z[c] = (z[c] - best) * rate;
        R(exp)(z + c, 1);
        total += z[c];
    }
    V scale = R(where_less)((V){0}, total, 1 / total, (V){0});
    scale = (V)((bad & (VI)((V){0} + (REAL)__builtin_nan(""))) | (~bad & (VI)scale));
    for (c = 0; c < classes; c++) z[c] = F(rounded)(z[c] * scale);
    if (R(any_negative)(sharp))
        for (c = 0; c < classes; c++) {
            V hot = (V)((VI)(where == (VI){0} + (int)c) & (VI)((V){0} + 1));
            z[c] = (V)((sharp & ~bad & (VI)hot) | (~(sharp & ~bad) & (VI)z[c]));
        }
    if (operation == OP_HARD_BACKWARD) {
        F(columns)((const STORED *)job->grad + at, stride, classes, rows, g);
        F(backward_columns)(z, g, classes, F(double_rates)(tau));
    }
    F(columns_to)(z, stride, classes, rows, out);
}
