/* Exact draws of arborescences, and the best one, by going back through the elimination of trees.h.

   Vertex v comes to an arborescence of those before it. An edge i -> j of it led through v with the share that W[i][v]
   W[v][j] / D has in the later weight; v takes the heads of those, and hangs on one of the vertices that the root still
   reaches, with probabilities as W[i][v]. With maxima for sums and no noise the result is the best one. */

/* Whether each vertex below v is still reached from the root, when the edges into those of `cut` are gone. */
static void mark_reached(const int64_t *parents, const char *cut, int64_t v, char *reached, int64_t *line) {
    for (int64_t j = 1; j < v; j++) reached[j] = cut[j] ? 0 : 2; /* 2 is not known yet */
    reached[0] = 1;
    for (int64_t j = 1; j < v; j++) {
        int64_t length = 0, at = j;
        for (; reached[at] == 2; at = parents[at]) line[length++] = at;
        while (length) reached[line[--length]] = reached[at];
    }
}

/* noise: Gumbel noise [n, n], below the diagonal at [v, j] for the edge into j when v comes, above it at [i, v] for i as the
   parent of v; NULL for the best. */
static void grow_tree(const struct tree *t, int plain, const double *noise, int64_t *parents, char *flags, int64_t *line) {
    const int64_t n = t->n, stride = t->stride;
    char *cut = flags, *reached = flags + n;
    for (int64_t v = 1; v < n; v++) {
        const double *inner = t->history + before_vertex(v), d = t->incoming[v];
        for (int64_t j = 1; j < v; j++) {
            const double in = t->w[parents[j] * stride + v], out = t->w[v * stride + j], direct = inner[parents[j] * v + j];
            /* exp of minus a logistic variable */
            const double odds = noise ? expm1(exp(-noise[v * n + j])) : 1;
            if (plain) cut[j] = in * out / d > direct * odds;
            else cut[j] = out > NOTHING && in > NOTHING && (direct <= NOTHING || in + out - d - direct > log(odds));
        }
        mark_reached(parents, cut, v, reached, line);
        double top = -INFINITY;
        int64_t best = 0;
        for (int64_t i = 0; i < v; i++) {
            const double in = t->w[i * stride + v];
            if (!reached[i] || (plain ? in == 0 : in <= NOTHING)) continue;
            const double score = plain ? in * exp(noise[i * n + v]) : in + (noise ? noise[i * n + v] : 0);
            if (score > top) top = score, best = i;
        }
        parents[v] = best;
        for (int64_t j = 1; j < v; j++)
            if (cut[j]) parents[j] = v;
    }
}

/* out [samples, rows, n]: the parents, -1 for the root and where there is no arborescence. other: the noise [samples, rows,
   n, n], or NULL for one sample of the best. */
static int tree_draws(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items;
    struct tree t;
    double *memory = reserve_tree(&t, n, 0);
    t.history = malloc((size_t)(before_vertex(n) + 1) * sizeof(double));
    int64_t *parents = malloc((size_t)(2 * n) * sizeof(int64_t));
    char *flags = malloc((size_t)(2 * n));
    const int ready = memory && t.history && parents && flags;
    for (int64_t r = begin; ready && r < end; r++) {
        double scale, sum = LOG_ZERO;
        const enum tree_state state = collect_tree(&t, s->logits + r * n * n, !s->other, &scale);
        if (state == TREE_PLAIN) sum = eliminate(&t);
        if (state == TREE_LOGS) sum = eliminate_logs(&t, !s->other);
        for (int64_t d = 0; d < s->samples; d++) {
            double *out = s->out + (d * s->rows + r) * n;
            for (int64_t v = 0; v < n; v++) out[v] = -1;
            if (sum <= NOTHING) continue;
            grow_tree(&t, state == TREE_PLAIN, s->other ? s->other + (d * s->rows + r) * n * n : NULL, parents, flags,
                      parents + n);
            for (int64_t v = 1; v < n; v++) out[v] = (double)parents[v];
        }
    }
    free(flags);
    free(parents);
    free(t.history);
    free(memory);
    return ready ? 0 : -1;
}
