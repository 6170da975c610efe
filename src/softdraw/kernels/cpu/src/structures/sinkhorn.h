/* Sinkhorn's iteration in log space: exp(x_ij + u_i + v_j) whose columns sum to 1 and whose rows sum to their masses.

   A step of logarithms fixes the potentials, then steps work on K = exp(x + u + v) itself, whose large entries are near their
   final size, until a factor leaves the range in which what K rounds to 0 is nothing; the factors go into the potentials, and
   so on (absorption; Schmitzer 2019). */

#define PLAIN_STEPS 64
#define FACTOR_RANGE 1e100

struct matrix {
    int64_t n, m, stride;
    double *x, *k, *u, *v, *a, *b;
    const double *mass; /* of each row */
};

/* u_i = log(mass_i) - log sum_j exp(x_ij + v_j); rows and columns without an entry keep 0. */
static void log_rows(const struct matrix *t) {
    for (int64_t i = 0; i < t->n; i++) {
        const double *row = t->x + i * t->stride;
        vd top = all(LOG_ZERO), sum = (vd){0};
        for (int64_t j = 0; j < t->stride; j += WIDTH) top = upper(top, load(row + j) + load(t->v + j));
        double best = LOG_ZERO;
        for (int lane = 0; lane < WIDTH; lane++) best = fmax(best, top[lane]);
        if (best <= NOTHING || t->mass[i] <= 0) continue;
        for (int64_t j = 0; j < t->stride; j += WIDTH) sum += exp_of(load(row + j) + load(t->v + j) - best);
        t->u[i] = log(t->mass[i]) - best - log(sum_of(sum));
    }
}
static void log_columns(const struct matrix *t) {
    for (int64_t j = 0; j < t->stride; j += WIDTH) {
        vd top = all(LOG_ZERO), sum = (vd){0};
        for (int64_t i = 0; i < t->n; i++) top = upper(top, load(t->x + i * t->stride + j) + t->u[i]);
        for (int64_t i = 0; i < t->n; i++) sum += exp_of(load(t->x + i * t->stride + j) + t->u[i] - top);
        store(t->v + j, pick(top > NOTHING, -(top + log_of(upper(sum, all(1e-300)))), (vd){0}));
    }
}

static void plan(const struct matrix *t) {
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < t->stride; j += WIDTH)
            store(t->k + i * t->stride + j, exp_of(lower(load(t->x + i * t->stride + j) + t->u[i] + load(t->v + j), all(700.0))));
}
INLINE double row_sum(const struct matrix *t, int64_t i) {
    vd sum = (vd){0};
    for (int64_t j = 0; j < t->stride; j += WIDTH) sum += load(t->k + i * t->stride + j) * load(t->b + j);
    return sum_of(sum);
}

/* Steps on k. Returns how many; `error` is that of the rows before the last of them, and `safe` whether all went well. */
static int64_t plain_steps(const struct structure *s, const struct matrix *t, int64_t most, double *error) {
    int64_t done = 0;
    for (int64_t i = 0; i < t->n; i++) t->a[i] = 1;
    for (int64_t j = 0; j < t->stride; j++) t->b[j] = 1;
    for (;;) {
        double worst = 0;
        for (int64_t i = 0; i < t->n; i++) {
            const double sum = row_sum(t, i), goal = t->mass[i];
            worst = fmax(worst, fabs(t->a[i] * sum - goal));
            t->k[i * t->stride + t->stride - 1] = 0;
            t->x[i * t->stride + t->stride - 1] = sum; /* beside the matrix, where nothing reads it */
        }
        *error = worst;
        if (worst <= s->tolerance || done == most) return done;
        int wide = 0;
        for (int64_t i = 0; i < t->n; i++) {
            const double sum = t->x[i * t->stride + t->stride - 1];
            if (sum > 1e-250 && sum < 1e250) t->a[i] = t->mass[i] / sum;
            wide |= sum > 0 && (sum < 1 / FACTOR_RANGE || sum > FACTOR_RANGE);
        }
        vl outside = (vl){0};
        for (int64_t j = 0; j < t->stride; j += WIDTH) {
            vd sum = (vd){0};
            for (int64_t i = 0; i < t->n; i++) sum += load(t->k + i * t->stride + j) * t->a[i];
            store(t->b + j, pick((sum > 1e-250) & (sum < 1e250), 1.0 / sum, all(1.0)));
            outside |= (vl)(sum > 0) & ((vl)(sum < 1 / FACTOR_RANGE) | (vl)(sum > FACTOR_RANGE));
        }
        done++;
        if (wide || any_negative64(outside)) most = done;
    }
}

/* x `logits` [rows, n, m] and the masses of their rows `other` [rows, n] in; out [rows, n, m]: the plan; more
   [rows, n + m + 1]: potentials and the number of iterations; value: the largest error of a row's sum, columns being exact.
   A row of mass 0 is taken for empty. */
static int sinkhorn(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items, m = s->size, stride = PADDED(m + 1);
    double *memory = malloc((size_t)(2 * n * stride + 2 * n + 2 * stride) * sizeof(double));
    if (!memory) return -1;
    struct matrix t = {n, m, stride, memory, memory + n * stride, memory + 2 * n * stride + 2 * stride,
                       memory + 2 * n * stride, memory + 2 * n * stride + 2 * stride + n,
                       memory + 2 * n * stride + stride, NULL};
    for (int64_t r = begin; r < end; r++) {
        const double *logits = s->logits + r * n * m;
        double *out = s->out + r * n * m, *more = s->more + r * (n + m + 1), error = INFINITY;
        for (int64_t i = 0; i < n * stride; i++) t.x[i] = LOG_ZERO;
        t.mass = s->other + r * n;
        vl odd = (vl){0};
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < m && t.mass[i] > 0; j += WIDTH) {
                const vd x = m - j < WIDTH ? load_part64(logits + i * m + j, m - j, LOG_ZERO) : load(logits + i * m + j);
                odd |= ~(vl)(x < 1e290);
                store(t.x + i * stride + j, pick(x > NOTHING, x, all(LOG_ZERO)));
            }
        const int bad = any_negative64(odd);
        for (int64_t i = 0; i < n; i++) t.u[i] = 0, t.a[i] = 1;
        for (int64_t j = 0; j < stride; j++) t.v[j] = 0, t.b[j] = 1;
        int64_t steps = 0;
        while (!bad) {
            for (int64_t i = 0; i < n; i++) t.x[i * stride + stride - 1] = LOG_ZERO;
            if (steps < s->most) log_rows(&t), log_columns(&t), steps++;
            plan(&t);
            const int64_t left = s->most - steps;
            steps += plain_steps(s, &t, left < PLAIN_STEPS ? left : PLAIN_STEPS, &error);
            if (error <= s->tolerance || steps >= s->most) break;
            for (int64_t i = 0; i < n; i++) t.u[i] += log(t.a[i]);
            for (int64_t j = 0; j < stride; j += WIDTH) store(t.v + j, load(t.v + j) + log_of(load(t.b + j)));
        }
        s->value[r] = bad ? NAN : error;
        for (int64_t i = 0; i < n; i++) {
            more[i] = bad ? NAN : t.u[i] + log(t.a[i]);
            for (int64_t j = 0; j < m; j += WIDTH) {
                const vd y = load(t.k + i * stride + j) * t.a[i] * load(t.b + j) + (bad ? NAN : 0);
                if (m - j < WIDTH) store_part64(out + i * m + j, m - j, y);
                else store(out + i * m + j, y);
            }
        }
        for (int64_t j = 0; j < m; j++) more[n + j] = bad ? NAN : t.v[j] + log(t.b[j]);
        more[n + m] = (double)steps;
    }
    free(memory);
    return 0;
}
