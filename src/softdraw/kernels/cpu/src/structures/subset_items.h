/* k-subsets with p(S) proportional to the product of the odds w = exp(logit) in S (conditional Bernoulli).

   Items are taken with probability p = sigmoid(logit - shift), the shift such that k are expected. Then
   P(k are taken) = e_k(w) exp(-k shift) prod(1 - p), and the recursion P_i(j) = (1 - p_i) P_{i-1}(j) +
   p_i P_{i-1}(j-1) adds positive numbers no larger than 1 whose last one, the mode of its law, is never small: neither
   logarithms nor scaling are needed, whatever the logits (Chen, Dempster, Liu 1994 for the law).

   Rows of the batch lie in the lanes of vectors, so that every step of the recursion is one of whole vectors, however
   small k is, and no lane waits for a sum over the others. Nothing that a lane computes depends on its neighbours. */

/* Items whose part of the table is kept at a time; the others are made again from every so many-th. A table of this many
   bytes stays in the cache, and is kept whole. */
#define LEAST_STRIDE 64
#define WHOLE_TABLE (256 << 10)
/* Halving the largest range of logits as often as this ends at their last digit; a few steps do otherwise. */
#define MOST_STEPS 1100

/* Numbers below 1e-308 add nothing, and take a hundred times as long. */
static unsigned without_denormals(void) {
#if defined(__SSE2__)
    const unsigned before = _mm_getcsr();
    _mm_setcsr(before | 0x8040);
    return before;
#else
    return 0;
#endif
}
static void restore(unsigned before) {
#if defined(__SSE2__)
    _mm_setcsr(before);
#else
    (void)before;
#endif
}

/* The probability p that an item is taken, and q that it is not. */
INLINE vd taken(vd x) { return pick(x > -700, sigmoid_of(x), (vd){0}); }

/* States of a lane: a law to compute; NaN or +inf; too few items; one set only; no row. */
enum { LAW, WRONG, FEW, SURE, ABSENT };

struct items {
    int64_t n, k;              /* items of the longest lane */
    int64_t count[WIDTH];      /* allowed items of each lane; items beyond them are never taken */
    int state[WIDTH];
    double sure[WIDTH];        /* the logits' sum where one set only is possible */
    int64_t *where;            /* [n][WIDTH] which of its row's items each is */
    double *logits, *p, *q, *v; /* [n][WIDTH] */
    double *kept, *block;      /* rows of the table: [k + 1][WIDTH], and with a direction its derivative behind */
    double *back, *slope;      /* [k + 1][WIDTH] */
    int64_t stride, across, width; /* numbers in a row's first part, and in a whole row */
    vd shift, left;            /* left: the sum of -log(q) */
};

static int64_t stride_of(int64_t n, int64_t width) {
    int64_t stride = LEAST_STRIDE;
    if (n * width * (int64_t)sizeof(double) <= WHOLE_TABLE) return n > 0 ? n : 1;
    while (stride * stride < n) stride *= 2;
    return stride;
}
static int reserve(struct items *s, int64_t n, int64_t k, int tangent) {
    s->k = k, s->across = (k + 1) * WIDTH, s->width = s->across * (tangent ? 2 : 1), s->stride = stride_of(n, s->width);
    const size_t all_items = (size_t)(n * WIDTH);
    const size_t numbers = 4 * all_items + (size_t)((n / s->stride + s->stride + 3) * s->width + 2 * s->across);
    s->where = malloc((all_items ? all_items : 1) * sizeof(int64_t));
    s->logits = malloc(numbers * sizeof(double));
    if (!s->where || !s->logits) {
        free(s->where), free(s->logits);
        return -1;
    }
    s->p = s->logits + all_items, s->q = s->p + all_items, s->v = s->q + all_items, s->kept = s->v + all_items;
    s->block = s->kept + (n / s->stride + 2) * s->width;
    s->back = s->block + (s->stride + 1) * s->width, s->slope = s->back + s->across;
    return 0;
}
static void release(struct items *s) { free(s->where), free(s->logits); }

/* How many items are expected at a shift, and the slope of that. */
static vd expected(const struct items *s, vd shift, vd *slope) {
    vd sum = (vd){0}, change = (vd){0};
    for (int64_t i = 0; i < s->n; i++) {
        const vd p = taken(load(s->logits + i * WIDTH) - shift);
        sum += p;
        change += p * (1 - p);
    }
    *slope = change;
    return sum;
}
/* What is known of the logits of each lane, sums being over those less the first; `idle` is set where there is no law. */
struct lane_facts {
    vd first, sum, squares, least, most, count;
    vl idle;
};
/* log(a / (n - a)) */
INLINE vd log_odds(vd a, vd n) { return log_of(a / (n - a)); }
/* A shift at which about k of the items are expected; any shift is right, and a near one keeps its figures. The first one is
   that of normal logits (MacKay 1992), and steps are Newton's in the log odds, in which the tails are straight. */
static void find_shift(struct items *s, const struct lane_facts *lanes) {
    const vd count = lanes->count, wanted = log_odds(all((double)s->k), count);
    const vd mean = lanes->sum / count, spread = upper(lanes->squares / count - mean * mean, (vd){0});
    vd low = lanes->least - 40, high = lanes->most + 40, slope;
    vd shift = lanes->first + mean, scale = all(1);
    for (int lane = 0; lane < WIDTH; lane++) scale[lane] = sqrt(1 + 0.3927 * spread[lane]);
    shift -= scale * wanted;
    shift = pick((shift > low) & (shift < high), shift, 0.5 * (low + high));
    vl done = lanes->idle;
    for (int step = 0; step < MOST_STEPS; step++) {
        const vd mass = expected(s, shift, &slope), excess = mass - (double)s->k;
        done |= (excess > -0.5) & (excess < 0.5);
        if (!any_negative64(~done)) break;
        low = pick(excess > 0, shift, low), high = pick(excess > 0, high, shift);
        const vd by = (log_odds(mass, count) - wanted) * mass * (1 - mass / count) / upper(slope, all(1e-300));
        vd next = shift + by;
        const vl inside = (next > low) & (next < high);
        next = pick(inside, next, 0.5 * (low + high));
        done |= next == shift;
        shift = pick(done, shift, next);
        /* such a step ends near enough */
        done |= inside & (by > -0.5) & (by < 0.5);
        if (!any_negative64(~done)) break;
    }
    s->shift = shift;
}
/* p and q of each item, and the sum of -log(q). */
static void find_probabilities(struct items *s) {
    vd sum = (vd){0};
    for (int64_t i = 0; i < s->n; i++) {
        const vd x = load(s->logits + i * WIDTH) - s->shift, size = upper(pick(x > 0, -x, x), all(LOG_ZERO));
        const vd e = exp_of(size), one = 1.0 / (1.0 + e);
        store(s->p + i * WIDTH, pick(x > 0, one, pick(x > -700, e * one, (vd){0})));
        store(s->q + i * WIDTH, pick(x > 0, pick(x < 700, e * one, (vd){0}), one));
        sum += upper(x, (vd){0}) + log_of(1.0 + e);
    }
    s->left = sum;
}
/* One row's allowed items into its lane. */
static int collect_row(struct items *s, int lane, const double *logits, const double *v, int64_t n, struct lane_facts *lanes) {
    int64_t count = 0;
    double first = 0, sum = 0, squares = 0, least = INFINITY, most = -INFINITY;
    for (int64_t i = 0; i < n; i++) {
        const double x = logits[i];
        if (!(x < 1e290)) return WRONG;
        if (x > NOTHING) {
            if (!count) first = x;
            s->where[count * WIDTH + lane] = i;
            if (v) s->v[count * WIDTH + lane] = v[i];
            s->logits[count++ * WIDTH + lane] = x;
            least = x < least ? x : least, most = x > most ? x : most;
            sum += x - first, squares += (x - first) * (x - first);
        }
    }
    s->count[lane] = count;
    if (count < s->k) return FEW;
    if (s->k == 0 || count == s->k) {
        s->sure[lane] = 0;
        for (int64_t i = 0; s->k > 0 && i < count; i++) s->sure[lane] += s->logits[i * WIDTH + lane];
        return SURE;
    }
    lanes->first[lane] = first, lanes->sum[lane] = sum, lanes->squares[lane] = squares;
    lanes->least[lane] = least, lanes->most[lane] = most, lanes->count[lane] = (double)count;
    lanes->idle[lane] = 0;
    return LAW;
}
/* The rows from `first` on into the lanes, as far as there are any. Returns whether a lane has a law to compute. */
static int collect(struct items *s, const struct structure *job, int64_t first, int64_t end, const double *direction) {
    const int64_t n = job->items;
    struct lane_facts lanes = {.count = all((double)s->k + 1), .idle = (vl){0} - 1};
    s->n = 0;
    for (int lane = 0; lane < WIDTH; lane++) {
        const int64_t at = (first + lane) * n;
        s->state[lane] = ABSENT;
        if (first + lane < end)
            s->state[lane] = collect_row(s, lane, job->logits + at, direction ? direction + at : NULL, n, &lanes);
        if (s->state[lane] == LAW && s->count[lane] > s->n) s->n = s->count[lane];
    }
    if (!s->n) return 0;
    for (int lane = 0; lane < WIDTH; lane++)
        for (int64_t i = s->state[lane] == LAW ? s->count[lane] : 0; i < s->n; i++)
            s->logits[i * WIDTH + lane] = LOG_ZERO, s->v[i * WIDTH + lane] = 0;
    find_shift(s, &lanes);
    find_probabilities(s);
    return 1;
}
