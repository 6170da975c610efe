/* Weighted spanning trees by elimination of one vertex after another, without a subtraction of masses.

   Let W[i][j] be the weight of the edge i -> j of arborescences rooted at vertex 0, and v the last vertex. Its incoming
   weight D = sum_i W[i][v] is a factor of the total, and what led through v leads past it afterwards:
   W[i][j] += W[i][v] W[v][j] / D (the star-mesh elimination of Grassmann, Taksar and Heyman 1985).
   Going back, the derivative g[i][j] of log Z by W[i][j] is that by its later value; with e[i][j] = g[i][j] W[i][v]
   W[v][j] / D the edges at v get W[i][v] g[i][v] = W[i][v] / D (1 - sum e) + sum_j e[i][j] and W[v][j] g[v][j] =
   sum_i e[i][j].

   Weights are divided by the largest of their column. Where the others then span a range that no product of theirs leaves,
   the weights themselves are worked on; elsewhere their logarithms, which takes ten times as long. */

struct tree {
    int64_t n, stride;
    double *w, *first;         /* [n, stride]: weights or logarithms, eliminated in place, and as they were */
    double *g, *incoming, *through;
};

/* Products of weights stay above exp(-600): a complete graph's are of two factors, another's of a path. */
#define SAFE_RANGE 600.0

static double eliminate(const struct tree *t) {
    double sum = 0;
    for (int64_t v = t->n - 1; v > 0; v--) {
        const double *out = t->w + v * t->stride;
        double d = 0;
        for (int64_t i = 0; i < v; i++) d += t->w[i * t->stride + v];
        if (d == 0) return LOG_ZERO;
        t->incoming[v] = d;
        sum += log(d);
        for (int64_t i = 0; i < v; i++) {
            double *row = t->w + i * t->stride;
            const double share = row[v] / d, kept = row[v];
            for (int64_t j = 0; j < v; j += WIDTH) {
                const vd before = load(row + j);
                store(row + j, pick(below(j, v), before + share * load(out + j), before));
            }
            row[v] = kept;
            row[i] = 0;
        }
    }
    return sum;
}

static void marginals(const struct tree *t) {
    double *g = t->g, *through = t->through;
    memset(g, 0, (size_t)(t->n * t->stride) * sizeof(double));
    for (int64_t v = 1; v < t->n; v++) {
        const double d = t->incoming[v], *leaving = t->w + v * t->stride;
        double sum = 0;
        memset(through, 0, (size_t)t->stride * sizeof(double));
        for (int64_t i = 0; i < v; i++) {
            const double share = t->w[i * t->stride + v] / d, *row = g + i * t->stride;
            vd mass = (vd){0};
            for (int64_t j = 0; j < v; j += WIDTH) {
                const vd e = pick(below(j, v), load(row + j) * (share * load(leaving + j)), (vd){0});
                store(through + j, load(through + j) + e);
                mass += e;
            }
            const double one = sum_of(mass);
            g[i * t->stride + v] = one; /* for the moment */
            sum += one;
        }
        for (int64_t i = 0; i < v; i++) {
            const double in = t->w[i * t->stride + v], used = in / d * (1 - sum) + g[i * t->stride + v];
            g[i * t->stride + v] = in > 0 && used > 0 ? used / in : 0;
        }
        for (int64_t j = 0; j < v; j++) g[v * t->stride + j] = leaving[j] > 0 ? through[j] / leaving[j] : 0;
    }
    for (int64_t i = 0; i < t->n * t->stride; i += WIDTH)
        store(t->first + i, lower(load(t->first + i) * load(g + i), all(1.0)));
}

static double eliminate_logs(const struct tree *t) {
    double sum = 0;
    for (int64_t v = t->n - 1; v > 0; v--) {
        double top = LOG_ZERO, mass = 0;
        for (int64_t i = 0; i < v; i++) top = fmax(t->w[i * t->stride + v], top);
        if (top <= NOTHING) return LOG_ZERO;
        for (int64_t i = 0; i < v; i++) mass += exp(t->w[i * t->stride + v] - top);
        const double d = top + log(mass), *out = t->w + v * t->stride;
        t->incoming[v] = d;
        sum += d;
        for (int64_t i = 0; i < v; i++) {
            double *row = t->w + i * t->stride;
            const double in = row[v] - d;
            if (row[v] <= NOTHING) continue;
            for (int64_t j = 0; j < v; j += WIDTH) {
                const vd before = load(row + j), past = upper(load(out + j) + in, all(LOG_ZERO));
                store(row + j, pick(below(j, v), log_sum(before, past), before));
            }
            row[i] = LOG_ZERO;
        }
    }
    return sum;
}

static void marginals_of_logs(const struct tree *t) {
    double *g = t->g, *through = t->through;
    for (int64_t i = 0; i < t->n * t->stride; i++) g[i] = LOG_ZERO;
    for (int64_t v = 1; v < t->n; v++) {
        const double d = t->incoming[v], *leaving = t->w + v * t->stride;
        double sum = 0;
        memset(through, 0, (size_t)t->stride * sizeof(double));
        for (int64_t i = 0; i < v; i++) {
            const double in = t->w[i * t->stride + v] - d, *row = g + i * t->stride;
            vd mass = (vd){0};
            if (t->w[i * t->stride + v] > NOTHING)
                for (int64_t j = 0; j < v; j += WIDTH) {
                    const vd power = lower(upper(load(row + j) + load(leaving + j) + in, all(LOG_ZERO)), all(700.0));
                    const vd e = pick(below(j, v), exp_of(power), (vd){0});
                    store(through + j, load(through + j) + e);
                    mass += e;
                }
            const double one = sum_of(mass);
            g[i * t->stride + v] = one; /* for the moment */
            sum += one;
        }
        for (int64_t i = 0; i < v; i++) {
            const double in = t->w[i * t->stride + v], used = exp(in - d) * (1 - sum) + g[i * t->stride + v];
            g[i * t->stride + v] = in > NOTHING && used > 1e-300 ? log(used) - in : LOG_ZERO;
        }
        for (int64_t j = 0; j < v; j++)
            g[v * t->stride + j] = leaving[j] > NOTHING && through[j] > 1e-300 ? log(through[j]) - leaving[j] : LOG_ZERO;
    }
    for (int64_t i = 0; i < t->n * t->stride; i += WIDTH) {
        const vd weight = load(t->first + i), slope = load(g + i);
        const vl some = (weight > NOTHING) & (slope > NOTHING);
        store(t->first + i, pick(some, exp_of(lower(weight + slope, (vd){0})), (vd){0}));
    }
}

/* Logits [n, n] with the root first in; out log Z and, unless `out` is NULL, marginals [n, n]. A logit of NaN or +inf makes
   the row NaN; without an arborescence log Z is -inf and the marginals are zero. */
static int trees(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items, stride = PADDED(n) + WIDTH, area = n * stride;
    double *memory = malloc((size_t)(3 * area + n + stride) * sizeof(double));
    if (!memory) return -1;
    const struct tree t = {n, stride, memory, memory + area, memory + 2 * area, memory + 3 * area, memory + 3 * area + n};
    for (int64_t r = begin; r < end; r++) {
        const double *logits = s->logits + r * n * n;
        double scale = 0, range = 0, sum = LOG_ZERO;
        int bad = 0, complete = 1, reached = 1;
        for (int64_t i = 0; i < area; i++) t.w[i] = LOG_ZERO;
        for (int64_t j = 1; j < n; j++) {
            double top = LOG_ZERO;
            for (int64_t i = 0; i < n; i++)
                if (i != j) {
                    const double x = logits[i * n + j];
                    bad |= !(x < 1e290);
                    if (x > NOTHING) t.w[i * stride + j] = x, top = fmax(top, x);
                    else complete = 0;
                }
            reached &= top > NOTHING;
            for (int64_t i = 0; i < n; i++)
                if (t.w[i * stride + j] > NOTHING) t.w[i * stride + j] -= top, range = fmin(range, t.w[i * stride + j]);
            scale += top;
        }
        const int plain = -range * (double)(complete ? 2 : n) < SAFE_RANGE;
        if (plain)
            for (int64_t i = 0; i < area; i += WIDTH) store(t.w + i, exp_of(load(t.w + i)));
        memcpy(t.first, t.w, (size_t)area * sizeof(double));
        if (!bad && reached) sum = plain ? eliminate(&t) : eliminate_logs(&t);
        s->value[r] = bad ? NAN : sum <= NOTHING ? -INFINITY : sum + scale;
        if (!s->out) continue;
        double *out = s->out + r * n * n;
        if (bad || sum <= NOTHING)
            for (int64_t i = 0; i < n * n; i++) out[i] = bad ? NAN : 0;
        else {
            if (plain) marginals(&t);
            else marginals_of_logs(&t);
            for (int64_t i = 0; i < n; i++) memcpy(out + i * n, t.first + i * stride, (size_t)n * sizeof(double));
        }
    }
    free(memory);
    return 0;
}
