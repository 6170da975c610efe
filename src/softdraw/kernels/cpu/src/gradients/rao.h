/* Template (rows/dtypes.h): the gradients of Gumbel-Rao and ReinMax-Rao, K conditional draws without K soft samples. */

/* A row of the average over K draws of the noise given the winner z. The soft sample of a draw is proportional to
   (1 + E_j / (q_j E_z))^(-1 / tau), and to 1 at z. */
struct F(rao_row) {
    REAL *inverse; /* 1 / q_j, infinite where q_j = 0; 0 at z */
    REAL *sum;     /* of J(y) g tau over the draws */
    int64_t z;
};

INLINE struct F(rao_row) F(rao_row_of)(REAL *memory, int64_t stride, int64_t z) {
    struct F(rao_row) a = {memory, memory + stride, z};
    return a;
}

INLINE void F(rao_weights)(const REAL *noise, const REAL *inverse, REAL won, REAL rate, V *w, const int n) {
    const V infinite = (V){0} + INFINITE;
    EACH w[u] = R(fma)(F(load)(noise + u * N) * F(load)(inverse + u * N), (V){0} + won, (V){0} + 1);
    if (rate == 1) EACH w[u] = 1 / w[u];
    else if (rate == 2) EACH w[u] = 1 / (w[u] * w[u]);
    else {
        V ratio[ABREAST];
        EACH ratio[u] = w[u];
        R(minus_log)(w, n);
        EACH w[u] *= rate;
        R(exp)(w, n);
        EACH w[u] = R(where_less)(ratio[u], infinite, w[u], (V){0});
    }
}

/* Add one draw, whose exponential noise of classes [0, TILE) is in s->noise from `at`, or is made piece by piece. */
INLINE void F(rao_add_draw)(struct F(scratch) *s, int64_t at, const struct job *job, int64_t sample, int64_t row_number,
                            const STORED *grad, struct F(rao_row) a, REAL rate) {
    const int64_t classes = job->classes;
    REAL *w = s->z, won;
    V total = (V){0}, product = (V){0}, v[ABREAST];
    if (at >= 0) won = s->noise[at + a.z];
    else {
        F(fill_tile)(&s->tile, job, sample, row_number, 1, a.z & ~(int64_t)3, (a.z & ~(int64_t)3) + 4);
        F(make_noise)(&s->tile, s->noise, LAW_EXPONENTIAL);
        won = s->noise[a.z & 3];
    }
    won = 1 / won;
    for (int64_t from = 0; from < classes; from += TILE) {
        int64_t to = from + TILE < classes ? from + TILE : classes, i = from;
        const REAL *noise = s->noise + (at < 0 ? 0 : at);
        if (at < 0) {
            F(fill_tile)(&s->tile, job, sample, row_number, 1, from, to);
            F(make_noise)(&s->tile, s->noise, LAW_EXPONENTIAL);
        }
        for (; i + ABREAST * N <= to; i += ABREAST * N, noise += ABREAST * N) {
            F(rao_weights)(noise, a.inverse + i, won, rate, v, ABREAST);
            for (int u = 0; u < ABREAST; u++) {
                F(store)(w + i + u * N, v[u]), total += v[u];
                product = R(fma)(v[u], F(get)(grad, i + u * N), product);
            }
        }
        for (; i < to; i += N, noise += N) {
            F(rao_weights)(noise, a.inverse + i, won, rate, v, 1);
            F(store)(w + i, v[0]), total += v[0];
            V g = classes - i < N ? F(get_some)(grad, i, classes - i, 0) : F(get)(grad, i);
            product = R(fma)(v[0], g, product);
        }
    }
    const REAL scale = 1 / R(total)(total), mean = scale * R(total)(product);
    for (int64_t i = 0; i < classes; i += N) {
        V g = classes - i < N ? F(get_some)(grad, i, classes - i, 0) : F(get)(grad, i);
        F(store)(a.sum + i, R(fma)(F(load)(w + i) * scale, g - mean, F(load)(a.sum + i)));
    }
}

/* Before the draws: q and its inverse. For ReinMax-Rao (law 1) q = (p + z) / 2. */
static void F(rao_begin)(const struct job *job, int64_t row_number, struct F(rao_row) a) {
    const struct F(row) row = F(row_of)(job, row_number);
    F(probabilities)(&row, 1, a.inverse);
    for (int64_t i = 0; i < job->classes; i += N) {
        V q = F(load)(a.inverse + i);
        F(store)(a.inverse + i, job->law ? 2 / q : 1 / q);
        F(store)(a.sum + i, (V){0});
    }
    a.inverse[a.z] = 0;
}

/* After them: the mean, or for ReinMax-Rao twice the mean less J(p) g / 2. */
static void F(rao_end)(const struct job *job, int64_t drawn_row, int64_t row_number, struct F(rao_row) a, REAL tau,
                       REAL *p) {
    const int64_t classes = job->classes;
    const STORED *grad = (const STORED *)job->grad + drawn_row * classes;
    STORED *out = (STORED *)job->out + drawn_row * classes;
    const REAL share = 1 / (tau * (REAL)job->draws);
    if (!job->law) {
        for (int64_t i = 0; i < classes; i += N) F(put_all)(out, i, classes, F(load)(a.sum + i) * share);
        return;
    }
    const struct F(row) row = F(row_of)(job, row_number);
    V product = (V){0};
    F(probabilities)(&row, 1, p);
    for (int64_t i = 0; i < classes; i += N) product = R(fma)(F(load)(p + i), F(centred)(grad, i, classes, 0), product);
    const REAL mean = R(total)(product);
    for (int64_t i = 0; i < classes; i += N) {
        V first = F(load)(a.sum + i) * (2 * share);
        F(put_all)(out, i, classes, first - F(load)(p + i) * (F(centred)(grad, i, classes, 0) - mean));
    }
}

static int F(rao_rows)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4, stride = (classes + N - 1) / N * N;
    const int64_t fit = TILE / stride > 1 ? TILE / stride : 1, most = F(rows_in_tile)(classes);
    const int64_t group = most < fit ? most : fit;
    struct F(scratch) s;
    REAL *memory = malloc((size_t)(2 * group * stride + classes + SPARE) * sizeof(REAL));
    if (!memory) return -1;
    s.z = memory + 2 * group * stride;
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        struct F(rao_row) a;
        for (int64_t r = 0; r < rows; r++) {
            a = F(rao_row_of)(memory + 2 * r * stride, stride, job->index[begin + r]);
            if (a.z >= 0) F(rao_begin)(job, row + r, a);
        }
        for (int64_t k = 0; k < job->draws; k++) {
            const int64_t word = k % job->group * job->samples + sample;
            if (k % job->group == 0) set_key(&s.tile, softdraw_fold(job->seed, (uint64_t)(k / job->group)));
            if (classes <= TILE) {
                F(fill_tile)(&s.tile, job, word, row, rows, 0, classes);
                F(make_noise)(&s.tile, s.noise, LAW_EXPONENTIAL);
            }
            for (int64_t r = 0; r < rows; r++) {
                a = F(rao_row_of)(memory + 2 * r * stride, stride, job->index[begin + r]);
                if (a.z >= 0)
                    F(rao_add_draw)(&s, classes <= TILE ? r * 4 * blocks : -1, job, word, row + r,
                                    (const STORED *)job->grad + (begin + r) * classes, a, 1 / F(tau_of)(job, row + r));
            }
        }
        for (int64_t r = 0; r < rows; r++) {
            a = F(rao_row_of)(memory + 2 * r * stride, stride, job->index[begin + r]);
            if (a.z >= 0) F(rao_end)(job, begin + r, row + r, a, F(tau_of)(job, row + r), s.z);
            else F(fill)((STORED *)job->out + (begin + r) * classes, classes, 0);
        }
        begin += rows;
    }
    free(memory);
    return 0;
}
