/* The derivative of the marginals of arborescences in a direction: the covariance of the edges times it.

   Forward, the logarithms of weights have tangents: with e the share of what leads through v in the later weight of i -> j,
   and delta the tangent of what leads through v less that of the edge itself, the later weight has the edge's tangent plus
   e delta. Backward, probabilities p of edges and their tangents are split by e, whose own tangent is e (1 - e) delta. */

struct tangents {
    double *dx, *choice, *dchoice;  /* [n, stride]: of logarithms; shares of parents, at [v, i] for i -> v, and theirs */
    double *share, *delta;          /* histories of e and delta, as trees.h has its own */
};

static void eliminate_tangents(const struct tree *t, const struct tangents *s, int plain) {
    const int64_t stride = t->stride;
    for (int64_t v = t->n - 1; v > 0; v--) {
        double *choice = s->choice + v * stride, *dchoice = s->dchoice + v * stride;
        double top = LOG_ZERO, d = 0, dd = 0;
        for (int64_t i = 0; i < v; i++) top = fmax(top, t->w[i * stride + v]);
        for (int64_t i = 0; i < v; i++) {
            const double w = t->w[i * stride + v];
            d += choice[i] = plain ? w : exp(w - top);
        }
        for (int64_t i = 0; i < v; i++) dd += (choice[i] /= d) * s->dx[i * stride + v];
        for (int64_t i = 0; i < v; i++) dchoice[i] = choice[i] * (s->dx[i * stride + v] - dd);
        if (!plain) d = top + log(d);
        for (int64_t i = 0; i < v; i++) {
            double *row = t->w + i * stride, *dx = s->dx + i * stride;
            const double *out = t->w + v * stride, *dout = s->dx + v * stride;
            double *share = s->share + before_vertex(v) + i * v, *delta = s->delta + before_vertex(v) + i * v;
            const double in = row[v], din = dx[v] - dd;
            if (plain ? in == 0 : in <= NOTHING) {
                memset(share, 0, (size_t)v * sizeof(double));
                memset(delta, 0, (size_t)v * sizeof(double));
                continue;
            }
            for (int64_t j = 0; j < v; j += WIDTH) {
                const vd before = load(row + j);
                vd past, after, e;
                if (plain) {
                    past = in * load(out + j) / d, after = before + past;
                    e = past / pick(after > 0, after, all(1.0));
                } else {
                    past = upper(load(out + j) + (in - d), all(LOG_ZERO)), after = log_sum(before, past);
                    e = pick(past > NOTHING, sigmoid_of(past - before), (vd){0});
                }
                const vd change = din + load(dout + j) - load(dx + j);
                const int64_t lanes = v - j < WIDTH ? v - j : WIDTH;
                for (int64_t lane = 0; lane < lanes; lane++)
                    if (j + lane != i) {
                        row[j + lane] = after[lane];
                        dx[j + lane] += e[lane] * change[lane];
                        share[j + lane] = e[lane], delta[j + lane] = change[lane];
                    } else
                        share[i] = delta[i] = 0;
            }
        }
    }
}

/* p and dp [n, stride] grow to those of the whole graph. */
static void grow_tangents(const struct tree *t, const struct tangents *s, double *p, double *dp) {
    const int64_t stride = t->stride;
    for (int64_t v = 1; v < t->n; v++) {
        double sum = 0, dsum = 0, *out = p + v * stride, *dout = dp + v * stride;
        const double *choice = s->choice + v * stride, *dchoice = s->dchoice + v * stride;
        memset(out, 0, (size_t)stride * sizeof(double));
        memset(dout, 0, (size_t)stride * sizeof(double));
        for (int64_t i = 0; i < v; i++) {
            double *here = p + i * stride, *dhere = dp + i * stride, used = 0, dused = 0;
            const double *share = s->share + before_vertex(v) + i * v, *delta = s->delta + before_vertex(v) + i * v;
            for (int64_t j = 0; j < v; j++) {
                const double e = here[j] * share[j], de = dhere[j] * share[j] + e * (1 - share[j]) * delta[j];
                here[j] -= e, dhere[j] -= de;
                out[j] += e, dout[j] += de;
                used += e, dused += de;
            }
            here[v] = used, dhere[v] = dused;
            sum += used, dsum += dused;
        }
        for (int64_t i = 0; i < v; i++) {
            p[i * stride + v] += choice[i] * (1 - sum);
            dp[i * stride + v] += dchoice[i] * (1 - sum) - choice[i] * dsum;
        }
    }
}

/* out [rows, n, n] for the direction `other` [rows, n, n]; NaN and zeros as in trees.h. */
static int tree_curvature(const struct structure *job, int64_t begin, int64_t end) {
    const int64_t n = job->items;
    struct tree t;
    double *memory = reserve_tree(&t, n, 4);
    double *histories = malloc((size_t)(2 * before_vertex(n) + 1) * sizeof(double));
    const int ready = memory && histories;
    for (int64_t r = begin; ready && r < end; r++) {
        const int64_t area = n * t.stride;
        double scale, *out = job->out + r * n * n, *p = t.first, *dp = t.g, *others = t.g + area;
        const struct tangents s = {others, others + area, others + 2 * area, histories, histories + before_vertex(n)};
        const enum tree_state state = collect_tree(&t, job->logits + r * n * n, 0, &scale);
        const int plain = state == TREE_PLAIN, possible = plain || state == TREE_LOGS;
        int whole = possible;
        memset(p, 0, (size_t)area * sizeof(double));
        memset(dp, 0, (size_t)area * sizeof(double));
        if (possible) {
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    const double w = t.w[i * t.stride + j];
                    s.dx[i * t.stride + j] = (plain ? w > 0 : w > NOTHING) ? job->other[(r * n + i) * n + j] : 0;
                }
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = n; j < t.stride; j++) s.dx[i * t.stride + j] = 0;
            eliminate_tangents(&t, &s, plain);
            for (int64_t v = 1; v < n; v++) {
                double top = LOG_ZERO;
                for (int64_t i = 0; i < v; i++) top = fmax(top, t.w[i * t.stride + v]);
                whole &= plain ? top > 0 : top > NOTHING;
            }
        }
        if (whole) grow_tangents(&t, &s, p, dp);
        for (int64_t i = 0; i < n * n; i++)
            out[i] = state == TREE_BAD ? NAN : whole ? dp[i / n * t.stride + i % n] : 0;
    }
    free(histories);
    free(memory);
    return ready ? 0 : -1;
}
