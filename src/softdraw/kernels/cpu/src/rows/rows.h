/* Template (rows/dtypes.h): the operations, row by row. */

INLINE void F(normalise)(const REAL *z, REAL scale, int64_t classes, STORED *out) {
    int64_t i = 0;
    for (; i + N <= classes; i += N) F(put)(out, i, F(load)(z + i) * scale);
    if (i < classes) F(put_some)(out, i, classes - i, F(load)(z + i) * scale);
}

/* One row of one sample; `ready` as in winner_of. */
INLINE void F(draw_one)(struct F(scratch) *s, int64_t ready, const struct job *job, int64_t sample, int64_t row_number) {
    const int64_t classes = job->classes, drawn_row = sample * job->rows + row_number, at = drawn_row * job->stride;
    const struct F(row) row = F(row_of)(job, row_number);
    const REAL tau = F(tau_of)(job, row_number);
    const int empty = row.top == -INFINITE, bad = row.top != row.top, operation = (int)job->operation;
    STORED *out = (STORED *)job->out + at;
    if (operation == OP_TOP_K) {
        int64_t *best = job->index + drawn_row * job->draws;
        if (!bad && !empty) F(best_of)(s, ready, job, sample, row_number, &row, best);
        else for (int64_t i = 0; i < job->draws; i++) best[i] = -1;
        return;
    }
    if (operation == OP_HARD_BACKWARD) {
        if (bad || empty || tau == 0) F(fill)(out, classes, 0);
        else {
            REAL total = F(weights)(s, ready, job, sample, row_number, &row, tau);
            F(backward_from)((const STORED *)job->grad + at, s->z, 1 / total, classes, tau, out);
        }
        return;
    }
    int64_t winner = -1;
    if (operation != OP_SOFT || tau == 0) {
        if (!bad && !empty) winner = F(winner_of)(s, ready, job, sample, row_number, &row);
        if (job->index) job->index[drawn_row * job->step] = winner;
        if (operation == OP_INDEX) return;
    } else if (!bad && !empty) {
        F(normalise)(s->z, 1 / F(weights)(s, ready, job, sample, row_number, &row, tau), classes, out);
        return;
    }
    F(fill)(out, classes, bad ? (REAL)__builtin_nan("") : (REAL)0);
    if (winner >= 0) F(put_one)(out, winner);
}

static int F(draw_rows)(const struct job *job, int64_t begin, int64_t end) {
    const int64_t classes = job->classes, blocks = (classes + 3) / 4, group = F(rows_in_tile)(classes);
    const int searching = job->operation == OP_INDEX || job->operation == OP_HARD, ordering = job->operation == OP_TOP_K;
    const int bounded = searching ? F(bounded)(classes) : ordering && F(order_bounded)(classes, job->draws);
    struct F(scratch) s;
    s.z = s.small;
    if (classes > TILE && !searching && !ordering) {
        s.z = malloc((size_t)(classes + SPARE) * sizeof(REAL));
        if (!s.z) return -1;
    }
    set_key(&s.tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        if (classes <= TILE) {
            F(fill_tile)(&s.tile, job, sample, row, rows, 0, classes);
            if (!bounded) F(make_noise)(&s.tile, s.noise, F(law_of)(job));
        }
        if (F(is_narrow)(classes) && !ordering)
            for (int64_t r = 0; r < rows; r += N)
                F(draw_narrow)(job, sample, row + r, rows - r < N ? rows - r : N, s.noise + r * 4 * blocks);
        else for (int64_t r = 0; r < rows; r++)
            F(draw_one)(&s, classes <= TILE ? r * 4 * blocks : -1, job, sample, row + r);
        begin += rows;
    }
    if (s.z != s.small) free(s.z);
    return 0;
}

/* Noise alone, which comes in float32 and float64 only. */
static void F(noise_rows)(const struct job *job, int64_t begin, int64_t end) {
    /* Words come in blocks of four classes, so the first tile begins at a multiple of four. */
    const int64_t classes = job->classes, first = job->class_start, skipped = first & 3, last = first + classes;
    const int64_t group = F(rows_in_tile)(skipped + classes);
    struct F(scratch) s;
    set_key(&s.tile, job->seed);
    while (begin < end) {
        int64_t sample = begin / job->rows, row = begin % job->rows;
        int64_t rows = end - begin < job->rows - row ? end - begin : job->rows - row;
        rows = rows < group ? rows : group;
        for (int64_t from = first - skipped; from < last; from += TILE) {
            int64_t to = from + TILE < last ? from + TILE : last, begun = from < first ? first : from;
            F(fill_tile)(&s.tile, job, sample, row, rows, from, to);
            switch (job->law) {
            case LAW_GUMBEL: F(make_noise)(&s.tile, s.noise, LAW_GUMBEL); break;
            case LAW_LOGISTIC: F(make_noise)(&s.tile, s.noise, LAW_LOGISTIC); break;
            case LAW_EXPONENTIAL: F(make_noise)(&s.tile, s.noise, LAW_EXPONENTIAL); break;
            default: F(make_noise)(&s.tile, s.noise, LAW_UNIFORM);
            }
            for (int64_t r = 0; r < rows; r++)
                memcpy((REAL *)job->out + (begin + r) * classes + begun - first,
                       s.noise + r * 4 * s.tile.across + begun - from, (size_t)(to - begun) * sizeof(REAL));
        }
        begin += rows;
    }
}

static int F(run)(const struct job *job, int64_t begin, int64_t end) {
    if (job->operation == OP_NOISE) {
        F(noise_rows)(job, begin, end);
        return 0;
    }
    if (job->operation == OP_REINMAX_BACKWARD) return F(reinmax_rows)(job, begin, end);
    if (job->operation == OP_RAO_BACKWARD) return F(rao_rows)(job, begin, end);
    if (job->operation != OP_SOFT_BACKWARD) return F(draw_rows)(job, begin, end);
    const STORED *grad = (const STORED *)job->grad, *y = (const STORED *)job->logits;
    if (F(is_narrow)(job->classes)) {
        for (int64_t row = begin; row < end; row += N) F(backward_narrow)(job, row, end - row < N ? end - row : N);
        return 0;
    }
    for (int64_t row = begin; row < end; row++) {
        const int64_t at = row * job->stride;
        F(backward)(grad + at, y + at, job->classes, F(tau_of)(job, row), (STORED *)job->out + at);
    }
    return 0;
}
