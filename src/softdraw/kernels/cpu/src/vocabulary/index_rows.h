/* Template (rows/dtypes.h, of float32 and float64): rows of a tile of a vocabulary's logits, for draws of an index. A tile
   updates what is known of each row: the largest logit, the winner of each sample, and the sums that log probability and
   entropy need. All are relative to the largest logit so far, so that noise is not rounded to the steps of large numbers. */

/* Below this distance to the largest logit a probability is 0, and its product with the distance must be, too. */
#define NEGLIGIBLE ((REAL)-1e4)

INLINE V F(element)(const REAL *from, int64_t i, int64_t left, REAL fill) {
    return left >= N ? F(load)(from + i) : R(load_part)(from + i, left, fill);
}

/* Logits of a row in the place of its products; returns the largest, NaN for a row with NaN or +inf. */
INLINE REAL F(index_logits)(const struct vocabulary_index *v, int64_t r, REAL *z) {
    const int64_t classes = v->classes;
    const V rate = (V){0} + ((const REAL *)v->rate)[r];
    const REAL *bias = (const REAL *)v->bias;
    const uint8_t *mask = v->mask ? v->mask + r * v->mask_stride : NULL;
    V top = (V){0} - INFINITE;
    VI size = (VI){0};
    for (int64_t i = 0; i < classes; i += N) {
        const int64_t left = classes - i;
        V x = F(element)(z, i, left, -INFINITE);
        if (bias) x += F(element)(bias, i, left, 0);
        x *= rate;
        if (mask) x = R(masked)(x, mask + i, left < N ? left : N);
        if (left >= N) F(store)(z + i, x);
        else R(store_part)(z + i, left, x);
        top = R(max)(top, x);
        size = R(max_int)(size, (VI)x & SIGN_OFF);
    }
    const REAL highest = R(highest)(top);
    const int bad = R(any_negative)((VI){0} + INFINITE_BITS - size) || highest == INFINITE;
    return bad ? (REAL)__builtin_nan("") : highest;
}

/* Adds the row's exp(logit - top), and that times (logit - top), to its sums. */
static __attribute__((noinline)) void F(index_sums)(const REAL *z, int64_t classes, REAL top, double *sums) {
    const V least = (V){0} + NEGLIGIBLE;
    V total = (V){0}, weighted = (V){0}, d[ABREAST], w[ABREAST];
    int64_t i = 0;
    for (; i + ABREAST * N <= classes; i += ABREAST * N) {
        for (int u = 0; u < ABREAST; u++) w[u] = d[u] = R(max)(F(load)(z + i + u * N) - top, least);
        R(exp)(w, ABREAST);
        for (int u = 0; u < ABREAST; u++) total += w[u], weighted = R(fma)(w[u], d[u], weighted);
    }
    for (; i < classes; i += N) {
        w[0] = d[0] = R(max)(F(element)(z, i, classes - i, -INFINITE) - top, least);
        R(exp)(w, 1);
        total += w[0], weighted = R(fma)(w[0], d[0], weighted);
    }
    sums[0] += (double)R(total)(total), sums[1] += (double)R(total)(weighted);
}

/* The best of a row's classes in one sample, with Gumbel noise, if it beats `w`. */
INLINE void F(index_search)(struct F(scratch) *s, const struct vocabulary_index *v, int64_t r, int64_t sample, const REAL *z,
                            REAL top, struct F(winner) *w) {
    s->tile.row = v->offset + (uint64_t)r;
    s->tile.step = 1;
    s->tile.sample = (uint32_t)sample;
    for (int64_t from = 0; from < v->classes;) {
        /* Words come in blocks of four classes, the first of which may have begun before this tile. */
        const int64_t number = v->class_start + from, skipped = number & 3;
        const int64_t to = from + TILE - skipped < v->classes ? from + TILE - skipped : v->classes;
        const struct F(row) row = {z, NULL, to, top};
        s->tile.first = number >> 2;
        s->tile.across = s->tile.blocks = (skipped + to - from + 3) / 4;
        R(prepare)(&s->tile);
#if BOUNDED
        if (F(bounded)(v->classes)) F(search_by_bounds)(&s->tile, skipped, &row, from, to, s->small, w);
        else
#endif
        {
            F(make_noise)(&s->tile, s->noise, LAW_GUMBEL);
            F(search_all)(s->noise + skipped, LAW_GUMBEL, &row, from, to, w);
        }
        from = to;
    }
}

static void F(index_row)(struct F(scratch) *s, const struct vocabulary_index *v, int64_t r) {
    REAL *z = (REAL *)v->tile + r * v->classes, *top = (REAL *)v->top + r;
    REAL *best = (REAL *)v->best + r, *chosen = (REAL *)v->chosen + r;
    const REAL before = *top, highest = F(index_logits)(v, r, z);
    if (before != before || highest == -INFINITE) return; /* bad already, or nothing is allowed here */
    if (highest > before || highest != highest) {
        const REAL rise = highest - before;
        *top = highest;
        if (highest != highest) return;
        for (int64_t sample = 0; sample < v->samples; sample++) best[sample * v->all_rows] -= rise;
        if (v->sums) {
            double *sums = v->sums + 2 * r;
            const double share = exp(-(double)rise);
            if (share > 0) sums[1] = (sums[1] - (double)rise * sums[0]) * share, sums[0] *= share;
            else sums[0] = sums[1] = 0;
        }
    }
    if (v->sums) F(index_sums)(z, v->classes, *top, v->sums + 2 * r);
    for (int64_t sample = 0; sample < v->samples; sample++) {
        const int64_t at = sample * v->all_rows;
        struct F(winner) w = {best[at], -1};
        F(index_search)(s, v, r, sample, z, *top, &w);
        if (w.index < 0) continue;
        best[at] = w.best;
        chosen[at] = z[w.index];
        v->index[at + r] = v->class_start + w.index;
    }
}

/* The gradient of the products in their place: that of log probabilities is one-hot less p, that of the entropy is
   -p (log p + entropy), and both are divided by tau. */
static void F(index_gradient_row)(const struct vocabulary_index *v, int64_t r) {
    const int64_t classes = v->classes;
    REAL *z = (REAL *)v->tile + r * classes;
    const REAL top = ((const REAL *)v->top)[r], rate = ((const REAL *)v->rate)[r];
    if (!(top > -INFINITE)) { /* no class is allowed, or the row holds NaN: it moves with nothing */
        memset(z, 0, (size_t)classes * sizeof(REAL));
        return;
    }
    (void)F(index_logits)(v, r, z);
    const REAL log_total = ((const REAL *)v->log_total)[r], mean = ((const REAL *)v->mean)[r];
    const V least = (V){0} + NEGLIGIBLE, spread = (V){0} + ((const REAL *)v->spread)[r];
    const V level = ((const REAL *)v->total)[r] - mean * spread;
    const REAL *picked = (const REAL *)v->picked + r;
    double moved = 0;
    V along = (V){0}, d[ABREAST], w[ABREAST];
    for (int64_t sample = 0; v->tau_grad && sample < v->samples; sample++) {
        const int64_t at = v->index[sample * v->all_rows + r] - v->class_start;
        if (at >= 0 && at < classes) moved += (double)picked[sample * v->all_rows] * (double)(z[at] - top);
    }
    int64_t i = 0;
    for (; i + ABREAST * N <= classes; i += ABREAST * N) {
        for (int u = 0; u < ABREAST; u++)
            d[u] = R(max)(F(load)(z + i + u * N) - top, least), w[u] = d[u] - log_total;
        R(exp)(w, ABREAST);
        for (int u = 0; u < ABREAST; u++) {
            w[u] = -w[u] * R(fma)(spread, d[u], level);
            along = R(fma)(w[u], d[u], along);
            F(store)(z + i + u * N, w[u] * rate);
        }
    }
    for (; i < classes; i += N) {
        d[0] = R(max)(F(element)(z, i, classes - i, -INFINITE) - top, least), w[0] = d[0] - log_total;
        R(exp)(w, 1);
        w[0] = -w[0] * R(fma)(spread, d[0], level);
        along = R(fma)(w[0], d[0], along);
        if (classes - i >= N) F(store)(z + i, w[0] * rate);
        else R(store_part)(z + i, classes - i, w[0] * rate);
    }
    for (int64_t sample = 0; sample < v->samples; sample++) {
        const int64_t at = v->index[sample * v->all_rows + r] - v->class_start;
        if (at >= 0 && at < classes) z[at] += picked[sample * v->all_rows] * rate;
    }
    if (v->tau_grad) v->tau_grad[r] += moved + (double)R(total)(along);
}

static int F(index_rows)(const struct vocabulary_index *v, int64_t begin, int64_t end) {
    struct F(scratch) s;
    set_key(&s.tile, v->seed);
    for (int64_t r = begin; r < end; r++)
        if (v->operation == IX_DRAW) F(index_row)(&s, v, r);
        else F(index_gradient_row)(v, r);
    return 0;
}
#undef NEGLIGIBLE
