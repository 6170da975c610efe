/* Entropic top-k: y = sigmoid((x - nu) / tau) with the number nu of each row for which sum(y) = k. */

/* What a level nu leaves of the items: how many lie above, what is missing to 1 there, and what the others have. Their
   difference is the error of the sum without the cancellation that the sum itself would suffer from. */
struct level {
    double above, missing, rest, slope;
};
INLINE double excess(const struct level *l, double k) { return (l->above - k) + (l->rest - l->missing); }

static struct level level_at(const double *x, int64_t n, double nu, double rate) {
    vd above = (vd){0}, missing = (vd){0}, rest = (vd){0}, slope = (vd){0};
    for (int64_t i = 0; i < n; i += 2 * WIDTH) {
        vd t[2], e[2];
        for (int u = 0; u < 2; u++) {
            t[u] = (load(x + i + u * WIDTH) - nu) * rate;
            e[u] = pick(t[u] > 0, -t[u], t[u]);
        }
        exp64(e, 2);
        for (int u = 0; u < 2; u++) {
            const vl up = t[u] > 0;
            const vd one = 1.0 / (1.0 + e[u]), other = e[u] * one;
            above += pick(up, all(1.0), (vd){0});
            missing += pick(up, other, (vd){0});
            rest += pick(up, (vd){0}, other);
            slope += one * other;
        }
    }
    return (struct level){sum_of(above), sum_of(missing), sum_of(rest), sum_of(slope)};
}
/* The same in float32, a quarter of the time, for the first steps. */
static struct level level_near(const float *x, int64_t n, float nu, float rate) {
    vf above = (vf){0}, missing = (vf){0}, rest = (vf){0}, slope = (vf){0};
    for (int64_t i = 0; i < n; i += 2 * LANES) {
        vf t[2], e[2];
        for (int u = 0; u < 2; u++) {
            memcpy(&t[u], x + i + u * LANES, sizeof t[u]);
            t[u] = (t[u] - nu) * rate;
            e[u] = where_less32((vf){0}, t[u], -t[u], t[u]);
        }
        exp32(e, 2);
        for (int u = 0; u < 2; u++) {
            const vf one = 1.0f / (1.0f + e[u]), other = e[u] * one, none = (vf){0};
            above += where_less32(none, t[u], none + 1.0f, none);
            missing += where_less32(none, t[u], other, none);
            rest += where_less32(none, t[u], none, other);
            slope += one * other;
        }
    }
    struct level l = {0, 0, 0, 0};
    for (int lane = 0; lane < LANES; lane++)
        l.above += above[lane], l.missing += missing[lane], l.rest += rest[lane], l.slope += slope[lane];
    return l;
}

/* Where to look next: where exactly k lie above, both sides are exponentials of the level, and their balance is known;
   elsewhere Newton's step; never out of the bracket. */
static double next_level(const struct level *l, double k, double nu, double rate, double low, double high) {
    double next;
    if (l->above == k && l->rest > 0 && l->missing > 0 && l->rest + l->missing < 0.5)
        next = nu + 0.5 * log(l->rest / l->missing) / rate;
    else next = nu + excess(l, k) / (l->slope * rate);
    return next > low && next < high ? next : 0.5 * (low + high);
}

static double level_for(const double *x, const float *single, int64_t n, double k, double rate, double least) {
    const double spread = (log((double)n) + 40) / rate, bottom = least - spread, top = spread;
    double low = bottom, high = top, mean = 0;
    for (int64_t i = 0; i < n; i++) mean += x[i];
    double nu = mean / (double)n - log(k / ((double)n - k)) / rate;
    nu = nu > low && nu < high ? nu : 0.5 * (low + high);
    if (rate < 1e30 && rate > 1e-30)
        for (int step = 0; step < 30; step++) {
            const struct level l = level_near(single, n, (float)nu, (float)rate);
            const double error = excess(&l, k);
            if (error > 0) low = nu;
            else high = nu;
            const double next = next_level(&l, k, nu, rate, low, high), moved = fabs(next - nu);
            nu = next;
            if (fabs(error) < 0.01 || moved * rate < 0.01 || moved <= 1e-6 * fabs(nu)) break;
        }
    low = bottom, high = top;
    for (int step = 0; step < 200; step++) {
        const struct level l = level_at(x, n, nu, rate);
        const double error = excess(&l, k);
        if (fabs(error) <= 1e-13 * k) break;
        if (error > 0) low = nu;
        else high = nu;
        const double next = next_level(&l, k, nu, rate, low, high), moved = fabs(next - nu);
        nu = next;
        /* The step was right to its square. */
        if (moved * rate < 1e-9 || moved <= 1e-15 * fabs(nu)) break;
    }
    return nu;
}

/* x `logits` [rows, n], tau `other` [rows]; out: y. k = `size`. NaN or +inf makes a row NaN, too few items make it zero. */
static int entropic(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items, k = s->size;
    const int64_t padded = PADDED(n) + 4 * LANES;
    double *x = malloc((size_t)padded * (sizeof(double) + sizeof(float)));
    if (!x) return -1;
    float *single = (float *)(x + padded);
    for (int64_t r = begin; r < end; r++) {
        const double *logits = s->logits + r * n, tau = s->other[r], rate = fmax(fmin(1 / tau, 1e290), 1e-290);
        double *out = s->out + r * n, least = INFINITY, most = -INFINITY;
        int64_t allowed = 0;
        int bad = !(tau >= 0);
        for (int64_t i = 0; i < n; i++) {
            const double logit = logits[i];
            bad |= !(logit < 1e290);
            x[allowed] = logit;
            allowed += logit > NOTHING;
        }
        if (bad || k <= 0 || allowed <= k) {
            for (int64_t i = 0; i < n; i++) out[i] = bad ? NAN : allowed == k && logits[i] > NOTHING ? 1 : 0;
            continue;
        }
        for (int64_t i = 0; i < allowed; i++) least = x[i] < least ? x[i] : least, most = x[i] > most ? x[i] : most;
        for (int64_t i = 0; i < allowed; i++) x[i] -= most; /* a shift of a row changes nothing, at 1e6 either */
        for (int64_t i = allowed; i < padded; i++) x[i] = LOG_ZERO;
        for (int64_t i = 0; i < padded; i++) single[i] = (float)(x[i] > -1e30 ? x[i] : -1e30);
        double nu = 0;
        if (tau < INFINITY) nu = level_for(x, single, allowed, (double)k, rate, least - most);
        for (int64_t i = 0; i < n; i += WIDTH) {
            const int64_t left = n - i < WIDTH ? n - i : WIDTH;
            const vd logit = left == WIDTH ? load(logits + i) : load_part64(logits + i, left, LOG_ZERO);
            const vd t = upper((logit - most - nu) * rate, all(LOG_ZERO));
            const vd y = pick(logit > NOTHING, tau < INFINITY ? sigmoid_of(t) : all((double)k / (double)allowed), (vd){0});
            if (left == WIDTH) store(out + i, y);
            else store_part64(out + i, left, y);
        }
    }
    free(x);
    return 0;
}

/* y `logits` [rows, n], upstream gradient `more` [rows, n], tau `other` [rows]; out: the gradient of x,
   s (g - sum(s g) / sum(s)) / tau with s = y (1 - y). */
static int entropic_backward(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items;
    for (int64_t r = begin; r < end; r++) {
        const double *y = s->logits + r * n, *g = s->more + r * n, tau = s->other[r];
        const double rate = tau > 0 ? fmin(1 / tau, 1e290) : 0;
        double *out = s->out + r * n, mass = 0, mean = 0;
        int64_t i = 0;
        vd masses = (vd){0}, means = (vd){0};
        for (; i + WIDTH <= n; i += WIDTH) {
            const vd v = load(y + i), w = v * (1.0 - v);
            masses += w, means += w * load(g + i);
        }
        for (int64_t j = i; j < n; j++) mass += y[j] * (1 - y[j]), mean += y[j] * (1 - y[j]) * g[j];
        mass += sum_of(masses), mean += sum_of(means);
        mean = mass > 0 ? mean / mass : 0;
        for (i = 0; i + WIDTH <= n; i += WIDTH) {
            const vd v = load(y + i);
            store(out + i, v * (1.0 - v) * (load(g + i) - mean) * rate);
        }
        for (; i < n; i++) out[i] = y[i] * (1 - y[i]) * (g[i] - mean) * rate;
    }
    return 0;
}
