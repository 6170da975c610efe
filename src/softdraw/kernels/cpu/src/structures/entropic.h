/* Entropic top-k: y = sigmoid((x - nu) / tau) with the number nu of each row for which sum(y) = k. */

/* What a level nu leaves of the items: how many lie above, what is missing to 1 there, and what the others have. Their
   difference is the error of the sum without the cancellation that the sum itself would suffer from. Then the sums of
   y (1 - y) and of y (1 - y) (1 - 2 y). */
struct level {
    double above, missing, rest, slope, bend;
};
INLINE double excess(const struct level *l, double k) { return (l->above - k) + (l->rest - l->missing); }

static struct level level_at(const double *x, int64_t n, double nu, double rate) {
    vd above = (vd){0}, missing = (vd){0}, rest = (vd){0}, slope = (vd){0}, bend = (vd){0};
    for (int64_t i = 0; i < n; i += 2 * WIDTH) {
        vd t[2], e[2];
        for (int u = 0; u < 2; u++) {
            t[u] = (load(x + i + u * WIDTH) - nu) * rate;
            e[u] = pick(t[u] > 0, -t[u], t[u]);
        }
        exp64(e, 2);
        for (int u = 0; u < 2; u++) {
            const vl up = t[u] > 0;
            const vd one = 1.0 / (1.0 + e[u]), other = e[u] * one, both = one * other, apart = one - other;
            above += pick(up, all(1.0), (vd){0});
            missing += pick(up, other, (vd){0});
            rest += pick(up, (vd){0}, other);
            slope += both;
            bend += both * pick(up, -apart, apart);
        }
    }
    return (struct level){sum_of(above), sum_of(missing), sum_of(rest), sum_of(slope), sum_of(bend)};
}
/* The same in float32, a quarter of the time. The level is the sum of two floats, so that what is far below the steps of a
   large one is not lost, and few numbers are added up before float64 takes them. `y`, unless NULL: the weights there. */
#define SUMMED_NEAR (64 * LANES)
INLINE struct level level_near(const float *x, float *y, int64_t n, double nu, float rate) {
    const float coarse = (float)nu, fine = (float)(nu - (double)coarse);
    struct level l = {0, 0, 0, 0, 0};
    for (int64_t from = 0; from < n; from += SUMMED_NEAR) {
        const int64_t to = from + SUMMED_NEAR < n ? from + SUMMED_NEAR : n;
        vf above = (vf){0}, missing = (vf){0}, rest = (vf){0}, slope = (vf){0}, bend = (vf){0};
        for (int64_t i = from; i < to; i += 2 * LANES) {
            vf t[2], e[2];
            for (int u = 0; u < 2; u++) {
                memcpy(&t[u], x + i + u * LANES, sizeof t[u]);
                t[u] = ((t[u] - coarse) - fine) * rate;
                e[u] = where_less32((vf){0}, t[u], -t[u], t[u]);
            }
            exp32(e, 2);
            for (int u = 0; u < 2; u++) {
                const vf one = 1.0f / (1.0f + e[u]), other = e[u] * one, both = one * other, none = (vf){0};
                const vf weight = where_less32(none, t[u], one, other);
                if (y) memcpy(y + i + u * LANES, &weight, sizeof weight);
                above += where_less32(none, t[u], none + 1.0f, none);
                missing += where_less32(none, t[u], other, none);
                rest += where_less32(none, t[u], none, other);
                slope += both;
                bend += both * where_less32(none, t[u], other - one, one - other);
            }
        }
        l.above += total32(above), l.missing += total32(missing), l.rest += total32(rest);
        l.slope += total32(slope), l.bend += total32(bend);
    }
    return l;
}

/* Where to look next: where exactly k lie above, both sides are exponentials of the level, and their balance is known, roughly;
   elsewhere, and near the balance, Halley's step for the logarithm of the sum, or of what it lacks to n: the smaller of the
   two is nearly an exponential of the level. */
static double next_level(const struct level *l, double k, double n, double nu, double rate) {
    const double less = 2 * k < n ? k : k - n, ratio = excess(l, k) / less, sum = less * (1 + ratio), off = log1p(ratio);
    const double curved = 1 - 0.5 * off * (l->bend * sum / (l->slope * l->slope) - 1);
    double next = nu + sum * off / (l->slope * rate * (curved > 0.5 && curved < 2 ? curved : 1));
    if (!(ratio > -1)) next = nu + excess(l, k) / (l->slope * rate);
    if (l->above == k && l->rest > 0 && l->missing > 0 && l->rest + l->missing < 0.5) {
        const double apart = log(l->rest / l->missing);
        if (fabs(apart) > 0.1) next = nu + 0.5 * apart / rate;
    }
    return next;
}
/* The same, but never out of the bracket. */
INLINE double bracketed(double next, double low, double high) {
    return next > low && next < high ? next : 0.5 * (low + high);
}

static double level_for(const double *x, const float *single, int64_t n, double k, double rate, double least,
                        double enough) {
    const double spread = (log((double)n) + 40) / rate, bottom = least - spread, top = spread;
    double low = bottom, high = top, mean = 0;
    vd sums = (vd){0};
    int64_t whole = 0;
    for (; whole + WIDTH <= n; whole += WIDTH) sums += load(x + whole);
    for (; whole < n; whole++) mean += x[whole];
    mean += sum_of(sums);
    double nu = mean / (double)n - log(k / ((double)n - k)) / rate;
    nu = nu > low && nu < high ? nu : 0.5 * (low + high);
    if (rate < 1e30 && rate > 1e-30)
        for (int step = 0; step < 30; step++) {
            const struct level l = level_near(single, NULL, n, nu, (float)rate);
            const double error = excess(&l, k);
            if (error > 0) low = nu;
            else high = nu;
            const double next = next_level(&l, k, (double)n, nu, rate), moved = fabs(next - nu);
            const int near = moved * rate < 1e-3 || moved <= 1e-6 * fabs(nu);
            nu = near ? next : bracketed(next, low, high);
            if (near) break;
        }
    low = bottom, high = top;
    for (int step = 0; step < 200; step++) {
        const struct level l = level_at(x, n, nu, rate);
        const double error = excess(&l, k);
        if (fabs(error) <= 1e-13 * k) break;
        if (error > 0) low = nu;
        else high = nu;
        const double next = next_level(&l, k, (double)n, nu, rate), moved = fabs(next - nu);
        /* The step was right to its third power, times k at the most. */
        const int near = moved * rate < enough || moved <= 1e-15 * fabs(nu);
        nu = near ? next : bracketed(next, low, high);
        if (near) break;
    }
    return nu;
}

static void widen(double *restrict to, const float *restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (double)from[i];
}
static void narrow(float *restrict to, const double *restrict from, int64_t n) {
    for (int64_t i = 0; i < n; i++) to[i] = (float)from[i];
}

static double most_of(vd x) {
    double most = -INFINITY;
    for (int lane = 0; lane < WIDTH; lane++) most = x[lane] > most ? x[lane] : most;
    return most;
}

static void entropic_row(const double *logits, double *out, int64_t n, int64_t k, double tau, double *x, float *single,
                         int64_t padded, double enough) {
    const double rate = fmax(fmin(1 / tau, 1e290), 1e-290);
    int64_t allowed = 0, i = 0;
    int bad = !(tau >= 0);
    vd lows = all(INFINITY), highs = all(-INFINITY);
    vl usual = (vl)(lows > highs);
    for (; i + WIDTH <= n; i += WIDTH) {
        const vd logit = load(logits + i);
        usual &= (vl)(logit < 1e290) & (vl)(logit > NOTHING);
        lows = lower(lows, logit), highs = upper(highs, logit);
        store(x + i, logit);
    }
    if (sum_of(pick(usual, (vd){0}, all(1.0))) == 0) allowed = i;
    else lows = all(INFINITY), highs = all(-INFINITY), i = 0;
    double least = -most_of(-lows), most = most_of(highs);
    for (; i < n; i++) {
        const double logit = logits[i];
        bad |= !(logit < 1e290);
        if (logit > NOTHING) {
            x[allowed++] = logit;
            least = logit < least ? logit : least, most = logit > most ? logit : most;
        }
    }
    if (bad || k <= 0 || allowed <= k) {
        for (i = 0; i < n; i++) out[i] = bad ? NAN : k > 0 && logits[i] > NOTHING ? 1 : 0;
        return;
    }
    for (i = 0; i < allowed; i++) x[i] -= most; /* a shift of a row changes nothing, at 1e6 either */
    for (i = allowed; i < padded; i++) x[i] = LOG_ZERO;
    for (i = 0; i < padded; i++) single[i] = (float)(x[i] > -1e30 ? x[i] : -1e30);
    double nu = 0;
    if (tau < INFINITY) nu = level_for(x, single, allowed, (double)k, rate, least - most, enough);
    for (i = 0; i < n; i += WIDTH) {
        const int64_t left = n - i < WIDTH ? n - i : WIDTH;
        const vd logit = left == WIDTH ? load(logits + i) : load_part64(logits + i, left, LOG_ZERO);
        const vd t = upper((logit - most - nu) * rate, all(LOG_ZERO));
        const vd y = pick(logit > NOTHING, tau < INFINITY ? sigmoid_of(t) : all((double)k / (double)allowed), (vd){0});
        if (left == WIDTH) store(out + i, y);
        else store_part64(out + i, left, y);
    }
}

#include "entropic_near.h"

/* x `logits` [rows, n], tau `other` [rows]; out: y. k = `size`. NaN or +inf makes a row NaN; k items or fewer are all 1. */
static int entropic(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items, padded = PADDED(n) + 4 * LANES;
    double *x = malloc((size_t)padded * 2 * (sizeof(double) + sizeof(float)));
    if (!x) return -1;
    double *row = x + padded;
    float *single = (float *)(row + padded);
    for (int64_t r = begin; r < end; r++) {
        if (s->most) {
            const float *logits = (const float *)s->logits + r * n;
            float *out = (float *)s->out + r * n;
            if (entropic_near(logits, out, n, s->size, s->other[r], single, single + padded, padded)) continue;
            widen(row, logits, n);
            entropic_row(row, row, n, s->size, s->other[r], x, single, padded, 3e-4);
            narrow(out, row, n);
        } else entropic_row(s->logits + r * n, s->out + r * n, n, s->size, s->other[r], x, single, padded, 1e-6);
    }
    free(x);
    return 0;
}

static void entropic_gradient(const double *y, const double *g, double *out, int64_t n, double tau) {
    const double rate = tau > 0 ? fmin(1 / tau, 1e290) : 0;
    double mass = 0, mean = 0;
    int64_t i = 0;
    vd masses = (vd){0}, means = (vd){0};
    for (; i + WIDTH <= n; i += WIDTH) {
        const vd v = load(y + i), w = v * (1.0 - v);
        masses += w, means += w * load(g + i);
    }
    for (int64_t j = i; j < n; j++) mass += y[j] * (1 - y[j]), mean += y[j] * (1 - y[j]) * g[j];
    mass += sum_of(masses), mean += sum_of(means);
    if (mass != mass) { /* a row with NaN or +inf has no gradient */
        for (i = 0; i < n; i++) out[i] = 0;
        return;
    }
    mean = mass > 0 ? mean / mass : 0;
    for (i = 0; i + WIDTH <= n; i += WIDTH) {
        const vd v = load(y + i);
        store(out + i, v * (1.0 - v) * (load(g + i) - mean) * rate);
    }
    for (; i < n; i++) out[i] = y[i] * (1 - y[i]) * (g[i] - mean) * rate;
}

/* y `logits` [rows, n], upstream gradient `more` [rows, n], tau `other` [rows]; out: the gradient of x,
   s (g - sum(s g) / sum(s)) / tau with s = y (1 - y). */
static int entropic_backward(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items;
    double *row = s->most ? malloc((size_t)(2 * n + 1) * sizeof(double)) : NULL;
    if (s->most && !row) return -1;
    for (int64_t r = begin; r < end; r++) {
        if (s->most) {
            const float *y = (const float *)s->logits + r * n, *g = (const float *)s->more + r * n;
            float *out = (float *)s->out + r * n;
            if (gradient_near(y, g, out, n, s->other[r])) continue;
            widen(row, y, n);
            widen(row + n, g, n);
            entropic_gradient(row, row + n, row, n, s->other[r]);
            narrow(out, row, n);
        } else entropic_gradient(s->logits + r * n, s->more + r * n, s->out + r * n, n, s->other[r]);
    }
    free(row);
    return 0;
}
