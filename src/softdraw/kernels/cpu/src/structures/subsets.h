/* k-subsets with p(S) proportional to the product of the odds w = exp(logit) in S (conditional Bernoulli).

   Items are taken with probability p = sigmoid(logit - shift), the shift such that k are expected. Then
   P(k are taken) = e_k(w) exp(-k shift) prod(1 - p), and the recursion P_i(j) = (1 - p_i) P_{i-1}(j) +
   p_i P_{i-1}(j-1) adds positive numbers no larger than 1 whose last one, the mode of its law, is never small: neither
   logarithms nor scaling are needed, whatever the logits (Chen, Dempster, Liu 1994 for the law). */

/* Rows of the table that are kept at a time; the others are made again from every STRIDE-th. */
#define STRIDE 64

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

static double expected(const double *logits, int64_t n, double shift, double *slope) {
    vd sum = (vd){0}, change = (vd){0};
    for (int64_t i = 0; i < n; i += WIDTH) {
        const vd p = taken(pick(below(i, n), load(logits + i), all(LOG_ZERO)) - shift);
        sum += p;
        change += p * (1 - p);
    }
    *slope = sum_of(change);
    return sum_of(sum);
}

/* A shift at which about k of the items are expected; any shift is right, and a near one keeps its figures. */
static double shift_for(const double *logits, int64_t n, int64_t k, double least, double most) {
    double low = least - 40, high = most + 40, shift = 0.5 * (low + high), slope;
    for (int step = 0; step < 200; step++) {
        const double excess = expected(logits, n, shift, &slope) - (double)k;
        if (excess > -0.05 && excess < 0.05) break;
        if (excess > 0) low = shift;
        else high = shift;
        double next = shift + excess / (slope > 1e-300 ? slope : 1e-300);
        if (!(next > low && next < high)) next = 0.5 * (low + high);
        if (next == shift) break;
        shift = next;
    }
    return shift;
}

/* p and q of each item. Returns the sum of -log(q). */
static double probabilities(const double *logits, int64_t n, double shift, double *p, double *q) {
    vd sum = (vd){0};
    for (int64_t i = 0; i < n; i += WIDTH) {
        const vd x = load(logits + i) - shift, size = pick(x > 0, -x, x);
        store(p + i, taken(x));
        store(q + i, taken(-x));
        sum += pick(below(i, n), upper(x, (vd){0}) + log_of(1.0 + exp_of(upper(size, all(LOG_ZERO)))), (vd){0});
    }
    return sum_of(sum);
}

/* Rows of the table are vectors with WIDTH zeros in front, so that [j - 1] can be read at 0, and zeros behind. */

/* to[j] = q from[j] + p from[j - 1] for j in 0..k */
static void take(double *restrict to, const double *restrict from, int64_t k, double p, double q) {
    for (int64_t j = 0; j <= k; j += WIDTH) store(to + j, q * load(from + j) + p * load(from + j - 1));
}
/* The same with its derivative in the direction in which the logit moves by v. */
static void take_tangent(double *restrict to, const double *restrict from, const double *restrict plain, int64_t k,
                                double p, double q, double v) {
    for (int64_t j = 0; j <= k; j += WIDTH)
        store(to + j, q * load(from + j) + p * (load(from + j - 1) + v * load(plain + j - 1)));
}
/* In place b[j] = q b[j] + p b[j + 1]; returns the sum of f[j] b[j + 1] beforehand, j < k. */
static double put_back(double *b, const double *f, int64_t k, double p, double q) {
    vd sum = (vd){0};
    for (int64_t j = 0; j <= k; j += WIDTH) {
        const vd next = load(b + j + 1);
        sum += pick(below(j, k), load(f + j) * next, (vd){0});
        store(b + j, q * load(b + j) + p * next);
    }
    return sum_of(sum);
}
static double put_back_tangent(double *t, const double *b, const double *f, const double *g, int64_t k, double p,
                                      double q, double v) {
    vd sum = (vd){0};
    for (int64_t j = 0; j <= k; j += WIDTH) {
        const vd next = load(t + j + 1), plain = load(b + j + 1);
        sum += pick(below(j, k), load(f + j) * next + load(g + j) * plain, (vd){0});
        store(t + j, q * load(t + j) + p * (next + v * plain));
    }
    return sum_of(sum);
}

struct items {
    int64_t n, k;
    int64_t *where;            /* which of the row's items may be taken at all */
    double *logits, *p, *q, *v;
    double *kept, *block;      /* tables of rows [width] */
    double *back, *slope;      /* [width] */
    int64_t across, width;     /* of a row's first part (and its second, with a direction), and of a whole row */
    double shift, left;        /* left: the sum of -log(q) */
};

static int reserve(struct items *s, int64_t n, int64_t k, int tangent) {
    const int64_t long_n = PADDED(n), across = PADDED(k + 1) + 2 * WIDTH, width = across * (tangent ? 2 : 1);
    const size_t numbers = (size_t)(4 * long_n + (n / STRIDE + STRIDE + 3) * width + 2 * across);
    s->where = malloc((size_t)n * sizeof(int64_t));
    s->logits = calloc(numbers, sizeof(double));
    if (!s->where || !s->logits) {
        free(s->where), free(s->logits);
        return -1;
    }
    s->across = across, s->width = width, s->k = k;
    s->p = s->logits + long_n, s->q = s->p + long_n, s->v = s->q + long_n;
    s->kept = s->v + long_n + WIDTH, s->block = s->kept + (n / STRIDE + 2) * width;
    s->back = s->block + (STRIDE + 1) * width, s->slope = s->back + across;
    return 0;
}
static void release(struct items *s) { free(s->where), free(s->logits); }

/* Collect a row's allowed items. 0 where there is a law to compute, 1 for NaN or +inf, 2 for too few items, 3 where one set
   only is possible. */
static int collect(struct items *s, const double *logits, const double *v, int64_t n, int64_t k) {
    double least = INFINITY, most = -INFINITY;
    s->n = 0;
    for (int64_t i = 0; i < n; i++) {
        const double x = logits[i];
        if (!(x < 1e290)) return 1;
        if (x > NOTHING) {
            s->where[s->n] = i;
            if (v) s->v[s->n] = v[i];
            s->logits[s->n++] = x;
            least = x < least ? x : least, most = x > most ? x : most;
        }
    }
    if (s->n < k) return 2;
    if (k == 0 || s->n == k) return 3;
    s->shift = shift_for(s->logits, s->n, k, least, most);
    s->left = probabilities(s->logits, s->n, s->shift, s->p, s->q);
    return 0;
}

static int64_t rows_from(const struct items *s, int64_t first) {
    return s->n - first < STRIDE ? s->n - first : STRIDE;
}
/* The table's rows [first, first + STRIDE] in block, from the one that was kept. */
static void table(struct items *s, int64_t first, int tangent) {
    memcpy(s->block, s->kept + first / STRIDE * s->width, (size_t)s->width * sizeof(double));
    for (int64_t i = 0; i < rows_from(s, first); i++) {
        const double *from = s->block + i * s->width, p = s->p[first + i], q = s->q[first + i];
        double *to = s->block + (i + 1) * s->width;
        take(to, from, s->k, p, q);
        if (tangent) take_tangent(to + s->across, from + s->across, from, s->k, p, q, s->v[first + i]);
    }
}
/* Fills `kept`; returns P(k), and its derivative in the direction. */
static double forwards(struct items *s, int tangent, double *change) {
    memset(s->kept, 0, (size_t)(s->width - WIDTH) * sizeof(double));
    s->kept[0] = 1;
    const double *last = s->kept;
    for (int64_t first = 0; first < s->n; first += STRIDE) {
        table(s, first, tangent);
        last = s->block + rows_from(s, first) * s->width;
        memcpy(s->kept + (first / STRIDE + 1) * s->width, last, (size_t)(s->width - WIDTH) * sizeof(double));
    }
    if (tangent) *change = last[s->across + s->k];
    return last[s->k];
}

static void fill(double *out, int64_t n, double value) {
    if (out)
        for (int64_t i = 0; i < n; i++) out[i] = value;
}

/* value: log e_k(w); out, unless NULL: the marginals; with a direction `other`, `more` is their derivative in it. */
static int subsets(const struct structure *job, int64_t begin, int64_t end) {
    const int64_t n = job->items, k = job->size;
    const int tangent = job->other != NULL;
    struct items s;
    if (reserve(&s, n, k, tangent)) return -1;
    const unsigned mode = without_denormals();
    for (int64_t r = begin; r < end; r++) {
        double *out = job->out ? job->out + r * n : NULL, *more = job->more ? job->more + r * n : NULL, change = 0;
        const int state = collect(&s, job->logits + r * n, tangent ? job->other + r * n : NULL, n, k);
        fill(out, n, state == 1 ? NAN : 0);
        fill(more, n, state == 1 ? NAN : 0);
        if (state) {
            double sum = 0;
            for (int64_t i = 0; state == 3 && k > 0 && i < s.n; i++) {
                sum += s.logits[i];
                if (out) out[s.where[i]] = 1;
            }
            job->value[r] = state == 1 ? NAN : state == 2 ? -INFINITY : sum;
            continue;
        }
        const double mass = forwards(&s, tangent, &change);
        job->value[r] = log(mass) + (double)k * s.shift + s.left;
        if (!out) continue;
        memset(s.back, 0, (size_t)(2 * s.across - WIDTH) * sizeof(double));
        s.back[k] = 1;
        for (int64_t first = (s.n - 1) / STRIDE * STRIDE; first >= 0; first -= STRIDE) {
            table(&s, first, tangent);
            for (int64_t i = rows_from(&s, first) - 1; i >= 0; i--) {
                const double p = s.p[first + i], q = s.q[first + i], *f = s.block + i * s.width;
                double moved = 0, v = tangent ? s.v[first + i] : 0;
                if (tangent) moved = put_back_tangent(s.slope, s.back, f, f + s.across, k, p, q, v);
                const double marginal = p * put_back(s.back, f, k, p, q) / mass;
                out[s.where[first + i]] = marginal < 1 ? marginal : 1;
                if (tangent) more[s.where[first + i]] = marginal * (v - change / mass) + p * moved / mass;
            }
        }
    }
    restore(mode);
    release(&s);
    return 0;
}

/* Exact draws: out [samples, rows, n] of zeros and ones, from uniforms `other` of that shape. Items are decided from the last
   to the first: i is taken with probability p_i P_{i-1}(j - 1) / P_i(j) where j are still to be taken. */
static int subset_draws(const struct structure *job, int64_t begin, int64_t end) {
    const int64_t n = job->items, k = job->size;
    struct items s;
    if (reserve(&s, n, k, 0)) return -1;
    int64_t *left = malloc((size_t)(job->samples > 0 ? job->samples : 1) * sizeof(int64_t));
    if (!left) {
        release(&s);
        return -1;
    }
    const unsigned mode = without_denormals();
    for (int64_t r = begin; r < end; r++) {
        const int state = collect(&s, job->logits + r * n, NULL, n, k);
        for (int64_t d = 0; d < job->samples; d++) {
            double *out = job->out + (d * job->rows + r) * n;
            fill(out, n, state == 1 ? NAN : 0);
            for (int64_t i = 0; state == 3 && k > 0 && i < s.n; i++) out[s.where[i]] = 1;
            left[d] = k;
        }
        if (state) continue;
        forwards(&s, 0, NULL);
        for (int64_t first = (s.n - 1) / STRIDE * STRIDE; first >= 0; first -= STRIDE) {
            table(&s, first, 0);
            for (int64_t i = rows_from(&s, first) - 1; i >= 0; i--)
                for (int64_t d = 0; d < job->samples; d++) {
                    const int64_t j = left[d], at = (d * job->rows + r) * n + s.where[first + i];
                    if (j == 0) continue;
                    const double *before = s.block + i * s.width, *after = before + s.width;
                    if (first + i < j || job->other[at] * after[j] < s.p[first + i] * before[j - 1]) {
                        job->out[at] = 1;
                        left[d]--;
                    }
                }
        }
    }
    restore(mode);
    free(left);
    release(&s);
    return 0;
}
