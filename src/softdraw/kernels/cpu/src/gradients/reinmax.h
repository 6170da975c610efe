/* Template (rows/dtypes.h): the gradient of ReinMax. */

/* ReinMax: 2 J(q) g - J(p) g / 2, q = (softmax(logits / tau) + z) / 2. With h the halved and centred g and t the tempered
   probabilities it is t (2 h - t . h) - p (h - p . h), less t . h at the winner; at tau = 1, p h less its sum there. */
static void F(reinmax_row)(const struct job *job, int64_t drawn_row, int64_t row_number, REAL *p, REAL *t) {
    const int64_t classes = job->classes, winner = job->index[drawn_row];
    const STORED *grad = (const STORED *)job->grad + drawn_row * classes;
    STORED *out = (STORED *)job->out + drawn_row * classes;
    const REAL tau = F(tau_of)(job, row_number);
    if (winner < 0) {
        F(fill)(out, classes, 0);
        return;
    }
    const struct F(row) row = F(row_of)(job, row_number);
    const REAL won = F(get_some)(grad, winner, 1, 0)[0] * (REAL)0.5;
    V both = (V){0}, tempered = (V){0};
    F(probabilities)(&row, 1, p);
    if (tau == 1) {
        for (int64_t i = 0; i < classes; i += N) {
            V v = F(load)(p + i) * F(centred)(grad, i, classes, won);
            both += v;
            F(put_all)(out, i, classes, v);
        }
        F(put_some)(out, winner, 1, (V){0} - R(total)(both));
        return;
    }
    F(probabilities)(&row, tau, t);
    for (int64_t i = 0; i < classes; i += N) {
        V h = F(centred)(grad, i, classes, won);
        both = R(fma)(F(load)(p + i), h, both);
        tempered = R(fma)(F(load)(t + i), h, tempered);
    }
    const REAL mean = R(total)(both), middle = R(total)(tempered);
    for (int64_t i = 0; i < classes; i += N) {
        V h = F(centred)(grad, i, classes, won);
        V v = F(load)(t + i) * (h + (h - middle)) - F(load)(p + i) * (h - mean);
        if (i <= winner && winner < i + N) v[winner - i] -= middle;
        F(put_all)(out, i, classes, v);
    }
}

/* Softmax of logits in columns, which are all -inf for no row that has a winner. */
INLINE void F(softmax_columns)(const V *x, int64_t classes, V top, V rate, V *p) {
    V total = (V){0};
    int64_t c = 0;
    for (; c + ABREAST <= classes; c += ABREAST) {
        const int n = ABREAST;
        EACH p[c + u] = (x[c + u] - top) * rate;
        R(exp)(p + c, n);
        EACH total += p[c + u];
    }
    for (; c < classes; c++) {
        p[c] = (x[c] - top) * rate;
        R(exp)(p + c, 1);
        total += p[c];
    }
    const V scale = 1 / total;
    for (c = 0; c < classes; c++) p[c] *= scale;
}

/* ReinMax for N rows of few classes at once; see narrow.h. */
static void F(reinmax_narrow)(const struct job *job, int64_t sample, int64_t row, int64_t rows) {
    const int64_t classes = job->classes, drawn_row = sample * job->rows + row;
    const V lowest = (V){0} - INFINITE, tau = F(tau_of_rows)(job, row, rows), one = (V){0} + 1;
    V x[N], g[N], p[N], t[N], top = lowest, won = (V){0}, both = (V){0}, middle = (V){0};
    VI where = (VI){0} - 1;
    F(columns)((const STORED *)job->grad + drawn_row * classes, classes, classes, rows, g);
    for (int64_t r = 0; r < N; r++) {
        x[r] = r < rows ? F(get_some)((const STORED *)job->logits + (row + r) * classes, 0, classes, 0) : (V){0};
        if (r < rows && job->mask) x[r] = R(masked)(x[r], job->mask + (row + r) * job->mask_stride, classes);
        if (r < rows) where[r] = job->index[drawn_row + r];
    }
    R(transpose)(x);
    for (int64_t c = 0; c < classes; c++) {
        top = R(max)(top, x[c]);
        g[c] *= (REAL)0.5;
        won = (V)(((VI)won) | ((VI)(where == (VI){0} + (int)c) & (VI)g[c]));
    }
    F(softmax_columns)(x, classes, top, one, p);
    for (int64_t c = 0; c < classes; c++) {
        g[c] -= won;
        both = R(fma)(p[c], g[c], both);
    }
    if (job->row_tau || job->tau != 1) {
        V rate = 1 / tau;
        rate = R(where_less)(rate, (V){0} + LARGEST, rate, (V){0} + LARGEST);
        F(softmax_columns)(x, classes, top, rate, t);
        for (int64_t c = 0; c < classes; c++) middle = R(fma)(t[c], g[c], middle);
        for (int64_t c = 0; c < classes; c++) p[c] = t[c] * (g[c] + (g[c] - middle)) - p[c] * (g[c] - both);
    } else {
        middle = both;
        for (int64_t c = 0; c < classes; c++) p[c] *= g[c];
    }
    for (int64_t c = 0; c < classes; c++) {
        p[c] -= (V)((VI)(where == (VI){0} + (int)c) & (VI)middle);
        p[c] = (V)((VI)(where >= 0) & (VI)p[c]);
    }
    F(columns_to)(p, classes, classes, rows, (STORED *)job->out + drawn_row * classes);
}

static int F(reinmax_rows)(const struct job *job, int64_t begin, int64_t end) {
    if (F(is_narrow)(job->classes)) {
        for (int64_t rows; begin < end; begin += rows) {
            const int64_t row = begin % job->rows, left = end - begin < job->rows - row ? end - begin : job->rows - row;
            rows = left < N ? left : N;
            F(reinmax_narrow)(job, begin / job->rows, row, rows);
        }
        return 0;
    }
    const int64_t length = job->classes + N;
    REAL small[2 * (TILE + N)], *p = small;
    if (length > TILE + N && !(p = malloc((size_t)(2 * length) * sizeof(REAL)))) return -1;
    for (int64_t drawn_row = begin; drawn_row < end; drawn_row++)
        F(reinmax_row)(job, drawn_row, drawn_row % job->rows, p, p + length);
    if (p != small) free(p);
    return 0;
}
