/* Sums over k-subsets, their marginals, the derivative of these, and draws; subset_items.h has the law, and what the
   recursion starts from. */

/* to[j] = q from[j] + p from[j - 1] for j in 0..k */
static void take(double *restrict to, const double *restrict from, int64_t k, vd p, vd q) {
    vd before = (vd){0};
    for (int64_t j = 0; j <= k; j++) {
        const vd here = load(from + j * WIDTH);
        store(to + j * WIDTH, fma64(q, here, p * before));
        before = here;
    }
}
/* The same with its derivative in the direction in which the logit moves by v. */
static void take_tangent(double *restrict to, const double *restrict from, const double *restrict plain, int64_t k, vd p,
                         vd q, vd v) {
    vd before = (vd){0};
    for (int64_t j = 0; j <= k; j++) {
        const vd here = load(from + j * WIDTH);
        store(to + j * WIDTH, fma64(q, here, p * before));
        before = fma64(v, load(plain + j * WIDTH), here);
    }
}
/* In place b[j] = q b[j] + p b[j + 1]; returns the sum of f[j] b[j + 1] beforehand, j < k. */
static vd put_back(double *b, const double *f, int64_t k, vd p, vd q) {
    vd sum = (vd){0}, here = load(b);
    for (int64_t j = 0; j < k; j++) {
        const vd next = load(b + (j + 1) * WIDTH);
        sum = fma64(load(f + j * WIDTH), next, sum);
        store(b + j * WIDTH, fma64(q, here, p * next));
        here = next;
    }
    store(b + k * WIDTH, q * here);
    return sum;
}
static vd put_back_tangent(double *t, const double *b, const double *f, const double *g, int64_t k, vd p, vd q, vd v) {
    vd sum = (vd){0}, here = load(t);
    for (int64_t j = 0; j < k; j++) {
        const vd next = load(t + (j + 1) * WIDTH), plain = load(b + (j + 1) * WIDTH);
        sum = fma64(load(f + j * WIDTH), next, fma64(load(g + j * WIDTH), plain, sum));
        store(t + j * WIDTH, fma64(q, here, p * fma64(v, plain, next)));
        here = next;
    }
    store(t + k * WIDTH, q * here);
    return sum;
}

static int64_t rows_from(const struct items *s, int64_t first) {
    return s->n - first < s->stride ? s->n - first : s->stride;
}
/* The table's rows [first, first + stride] in block, from the one that was kept. */
static void table(struct items *s, int64_t first, int tangent) {
    memcpy(s->block, s->kept + first / s->stride * s->width, (size_t)s->width * sizeof(double));
    for (int64_t i = 0; i < rows_from(s, first); i++) {
        const double *from = s->block + i * s->width;
        const vd p = load(s->p + (first + i) * WIDTH), q = load(s->q + (first + i) * WIDTH);
        double *to = s->block + (i + 1) * s->width;
        take(to, from, s->k, p, q);
        if (tangent)
            take_tangent(to + s->across, from + s->across, from, s->k, p, q, load(s->v + (first + i) * WIDTH));
    }
}
/* Fills `kept`, and leaves the last part of the table in `block`; returns P(k), and its derivative in the direction. */
static vd forwards(struct items *s, int tangent, vd *change) {
    memset(s->kept, 0, (size_t)s->width * sizeof(double));
    store(s->kept, all(1));
    const double *last = s->kept;
    for (int64_t first = 0; first < s->n; first += s->stride) {
        table(s, first, tangent);
        last = s->block + rows_from(s, first) * s->width;
        memcpy(s->kept + (first / s->stride + 1) * s->width, last, (size_t)s->width * sizeof(double));
    }
    if (tangent) *change = load(last + s->across + s->k * WIDTH);
    return load(last + s->k * WIDTH);
}

static void fill(double *out, int64_t n, double value) {
    if (out)
        for (int64_t i = 0; i < n; i++) out[i] = value;
}
/* The only set there is. */
static void sure(const struct items *s, int lane, double *out) {
    for (int64_t i = 0; out && s->k > 0 && i < s->count[lane]; i++) out[s->where[i * WIDTH + lane]] = 1;
}
static double log_sum_of_lane(const struct items *s, int lane, double mass) {
    switch (s->state[lane]) {
    case WRONG: return NAN;
    case FEW: return -INFINITY;
    case SURE: return s->sure[lane];
    default: return log(mass) + (double)s->k * s->shift[lane] + s->left[lane];
    }
}
/* Numbers of one item into the rows of the lanes. */
static void spread(const struct items *s, double *out, int64_t n, int64_t i, vd x) {
    for (int lane = 0; lane < WIDTH; lane++)
        if (s->state[lane] == LAW && i < s->count[lane]) out[lane * n + s->where[i * WIDTH + lane]] = x[lane];
}
/* The marginals of the lanes' rows, and with `more` their derivative in the direction. */
static void means(struct items *s, double *out, double *more, int64_t n, vd mass, vd change) {
    const int tangent = more != NULL;
    const int64_t k = s->k, last = (s->n - 1) / s->stride * s->stride;
    memset(s->back, 0, (size_t)(2 * s->across) * sizeof(double));
    store(s->back + k * WIDTH, all(1));
    for (int64_t first = last; first >= 0; first -= s->stride) {
        if (first != last) table(s, first, tangent); /* the last part is still there */
        for (int64_t i = rows_from(s, first) - 1; i >= 0; i--) {
            const vd p = load(s->p + (first + i) * WIDTH), q = load(s->q + (first + i) * WIDTH);
            const vd v = tangent ? load(s->v + (first + i) * WIDTH) : (vd){0};
            const double *f = s->block + i * s->width;
            const vd moved = tangent ? put_back_tangent(s->slope, s->back, f, f + s->across, k, p, q, v) : v;
            const vd marginal = p * put_back(s->back, f, k, p, q) / mass;
            spread(s, out, n, first + i, lower(marginal, all(1)));
            if (tangent) spread(s, more, n, first + i, marginal * (v - change / mass) + p * moved / mass);
        }
    }
}

/* value: log e_k(w); out, unless NULL: the marginals; with a direction `other`, `more` is their derivative in it. */
static int subsets(const struct structure *job, int64_t begin, int64_t end) {
    const int64_t n = job->items;
    const int tangent = job->other != NULL;
    struct items s;
    if (reserve(&s, n, job->size, tangent)) return -1;
    const unsigned mode = without_denormals();
    for (int64_t first = begin; first < end; first += WIDTH) {
        double *out = job->out ? job->out + first * n : NULL, *more = job->more ? job->more + first * n : NULL;
        vd mass = (vd){0}, change = (vd){0};
        const int some = collect(&s, job, first, end, job->other);
        if (some) mass = forwards(&s, tangent, &change);
        for (int lane = 0; lane < WIDTH && s.state[lane] != ABSENT; lane++) {
            job->value[first + lane] = log_sum_of_lane(&s, lane, mass[lane]);
            fill(out ? out + lane * n : NULL, n, s.state[lane] == WRONG ? NAN : 0);
            fill(more ? more + lane * n : NULL, n, s.state[lane] == WRONG ? NAN : 0);
            if (s.state[lane] == SURE) sure(&s, lane, out ? out + lane * n : NULL);
        }
        if (some && out) means(&s, out, more, n, mass, change);
    }
    restore(mode);
    release(&s);
    return 0;
}

/* One lane's draws: items are decided from the last to the first, and i is taken with probability
   p_i P_{i-1}(j - 1) / P_i(j) where j are still to be taken. `left`: of each draw, how many. */
static void walk_back(const struct items *s, const struct structure *job, int64_t first, int lane, int64_t r, int64_t *left) {
    for (int64_t i = rows_from(s, first) - 1; i >= 0; i--) {
        if (first + i >= s->count[lane]) continue;
        const double *before = s->block + i * s->width + lane, *after = before + s->width;
        const double p = s->p[(first + i) * WIDTH + lane];
        const int64_t item = s->where[(first + i) * WIDTH + lane];
        for (int64_t d = 0; d < job->samples; d++) {
            const int64_t j = left[d], at = (d * job->rows + r) * job->items + item;
            if (j == 0) continue;
            if (first + i < j || job->other[at] * after[j * WIDTH] < p * before[(j - 1) * WIDTH]) {
                job->out[at] = 1;
                left[d]--;
            }
        }
    }
}
/* Exact draws: out [samples, rows, n] of zeros and ones, from uniforms `other` of that shape. */
static int subset_draws(const struct structure *job, int64_t begin, int64_t end) {
    const int64_t n = job->items, samples = job->samples;
    struct items s;
    if (reserve(&s, n, job->size, 0)) return -1;
    int64_t *left = malloc((size_t)((samples > 0 ? samples : 1) * WIDTH) * sizeof(int64_t));
    if (!left) {
        release(&s);
        return -1;
    }
    const unsigned mode = without_denormals();
    for (int64_t group = begin; group < end; group += WIDTH) {
        const int some = collect(&s, job, group, end, NULL);
        for (int lane = 0; lane < WIDTH && s.state[lane] != ABSENT; lane++)
            for (int64_t d = 0; d < samples; d++) {
                double *out = job->out + (d * job->rows + group + lane) * n;
                fill(out, n, s.state[lane] == WRONG ? NAN : 0);
                if (s.state[lane] == SURE) sure(&s, lane, out);
                left[lane * samples + d] = s.k;
            }
        if (!some) continue;
        forwards(&s, 0, NULL);
        const int64_t last = (s.n - 1) / s.stride * s.stride;
        for (int64_t first = last; first >= 0; first -= s.stride) {
            if (first != last) table(&s, first, 0);
            for (int lane = 0; lane < WIDTH; lane++)
                if (s.state[lane] == LAW) walk_back(&s, job, first, lane, group + lane, left + lane * samples);
        }
    }
    restore(mode);
    free(left);
    release(&s);
    return 0;
}
