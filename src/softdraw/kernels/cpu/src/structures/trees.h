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
    double *history;           /* unless NULL: what the matrix [v, v] was before v went, at before_vertex(v) */
};

/* Where in a history vertex v has its matrix; before_vertex(n) is the size of all. */
INLINE int64_t before_vertex(int64_t v) { return (v - 1) * v * (2 * v - 1) / 6; }

static void remember(const struct tree *t, int64_t v) {
    if (t->history)
        for (int64_t i = 0; i < v; i++)
            memcpy(t->history + before_vertex(v) + i * v, t->w + i * t->stride, (size_t)v * sizeof(double));
}

/* Products of weights stay above exp(-600): a complete graph's are of two factors, another's of a path. */
#define SAFE_RANGE 600.0

static double eliminate(const struct tree *t) {
    double sum = 0;
    for (int64_t v = t->n - 1; v > 0; v--) {
        const double *out = t->w + v * t->stride;
        double d = 0;
        for (int64_t i = 0; i < v; i++) d += t->w[i * t->stride + v];
        if (d == 0) return LOG_ZERO;
        remember(t, v);
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

/* With `best`, maxima in the place of sums. */
static double eliminate_logs(const struct tree *t, int best) {
    double sum = 0;
    for (int64_t v = t->n - 1; v > 0; v--) {
        double top = LOG_ZERO, mass = 0;
        for (int64_t i = 0; i < v; i++) top = fmax(t->w[i * t->stride + v], top);
        if (top <= NOTHING) return LOG_ZERO;
        for (int64_t i = 0; !best && i < v; i++) mass += exp(t->w[i * t->stride + v] - top);
        remember(t, v);
        const double d = best ? top : top + log(mass), *out = t->w + v * t->stride;
        t->incoming[v] = d;
        sum += d;
        for (int64_t i = 0; i < v; i++) {
            double *row = t->w + i * t->stride;
            const double in = row[v] - d;
            if (row[v] <= NOTHING) continue;
            for (int64_t j = 0; j < v; j += WIDTH) {
                const vd before = load(row + j), past = upper(load(out + j) + in, all(LOG_ZERO));
                const vd both = best ? upper(before, past) : log_sum(before, past);
                store(row + j, pick(below(j, v), both, before));
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

enum tree_state { TREE_PLAIN, TREE_LOGS, TREE_NONE, TREE_BAD };

/* Logits [n, n] with the root first, divided by the largest of their column, as weights or as logarithms (`logs` asks for
   these); scale takes what they were divided by. */
static enum tree_state collect_tree(const struct tree *t, const double *logits, int logs, double *scale) {
    const int64_t n = t->n, stride = t->stride, area = n * stride;
    double range = 0;
    int bad = 0, complete = 1, reached = 1;
    *scale = 0;
    for (int64_t i = 0; i < area; i++) t->w[i] = LOG_ZERO;
    for (int64_t j = 1; j < n; j++) {
        double top = LOG_ZERO;
        for (int64_t i = 0; i < n; i++)
            if (i != j) {
                const double x = logits[i * n + j];
                bad |= !(x < 1e290);
                if (x > NOTHING) t->w[i * stride + j] = x, top = fmax(top, x);
                else complete = 0;
            }
        reached &= top > NOTHING;
        for (int64_t i = 0; i < n; i++)
            if (t->w[i * stride + j] > NOTHING) t->w[i * stride + j] -= top, range = fmin(range, t->w[i * stride + j]);
        *scale += top;
    }
    const int plain = !logs && -range * (double)(complete ? 2 : n) < SAFE_RANGE;
    if (plain)
        for (int64_t i = 0; i < area; i += WIDTH) store(t->w + i, exp_of(load(t->w + i)));
    return bad ? TREE_BAD : !reached ? TREE_NONE : plain ? TREE_PLAIN : TREE_LOGS;
}

/* Memory for a tree, with `others` matrices more; NULL where there is none. */
static double *reserve_tree(struct tree *t, int64_t n, int64_t others) {
    const int64_t stride = PADDED(n) + WIDTH, area = n * stride;
    double *memory = malloc((size_t)((3 + others) * area + n + stride) * sizeof(double));
    if (memory)
        *t = (struct tree){n, stride, memory, memory + area, memory + 2 * area, memory + (3 + others) * area,
                           memory + (3 + others) * area + n, NULL};
    return memory;
}

/* Logits [n, n] with the root first in; out log Z and, unless `out` is NULL, marginals [n, n]. A logit of NaN or +inf makes
   the row NaN; without an arborescence log Z is -inf and the marginals are zero. */
static int trees(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items;
    struct tree t;
    double *memory = reserve_tree(&t, n, 0);
    if (!memory) return -1;
    for (int64_t r = begin; r < end; r++) {
        double scale, sum = LOG_ZERO;
        const enum tree_state state = collect_tree(&t, s->logits + r * n * n, 0, &scale);
        const int plain = state == TREE_PLAIN, bad = state == TREE_BAD;
        memcpy(t.first, t.w, (size_t)(n * t.stride) * sizeof(double));
        if (plain || state == TREE_LOGS) sum = plain ? eliminate(&t) : eliminate_logs(&t, 0);
        s->value[r] = bad ? NAN : sum <= NOTHING ? -INFINITY : sum + scale;
        if (!s->out) continue;
        double *out = s->out + r * n * n;
        if (bad || sum <= NOTHING)
            for (int64_t i = 0; i < n * n; i++) out[i] = bad ? NAN : 0;
        else {
            if (plain) marginals(&t);
            else marginals_of_logs(&t);
            for (int64_t i = 0; i < n; i++) memcpy(out + i * n, t.first + i * t.stride, (size_t)n * sizeof(double));
        }
    }
    free(memory);
    return 0;
}
