/* The gradient of Sinkhorn's limit y = exp(x + u + v): y (g - a_i - b_j) with the a and b for which its own sums over rows and
   columns are zero. The b of the smaller side solve a system whose matrix is a graph's Laplacian, made from sums that do not
   cancel; `implicit_gradient` of kernels/structures/matching_operations.py is the definition. */

struct limit {
    int64_t rows, columns, stride; /* columns are the smaller side */
    double *y, *g, *system, *b, *rate; /* rate: 1 / the sum of a row of y */
};

static void centre_rows(const struct limit *t) {
    for (int64_t i = 0; i < t->rows; i++) {
        double *y = t->y + i * t->stride, *g = t->g + i * t->stride;
        vd sums = (vd){0}, means = (vd){0};
        for (int64_t j = 0; j < t->stride; j += WIDTH) {
            const vd mass = load(y + j), up = pick(mass > 0, load(g + j), (vd){0});
            store(g + j, up);
            sums += mass, means += mass * up;
        }
        const double sum = sum_of(sums);
        t->rate[i] = sum > 0 ? 1 / sum : 1;
        const double mean = sum_of(means) * t->rate[i];
        for (int64_t j = 0; j < t->stride; j += WIDTH) store(g + j, load(g + j) - mean);
    }
}

static void laplacian(const struct limit *t) {
    const int64_t n = t->columns;
    for (int64_t e = 0; e < n * t->stride; e++) t->system[e] = 0;
    for (int64_t j = 0; j < t->stride; j++) t->b[j] = 0;
    for (int64_t i = 0; i < t->rows; i++) {
        const double *y = t->y + i * t->stride, *g = t->g + i * t->stride;
        for (int64_t j = 0; j < t->stride; j += WIDTH) store(t->b + j, load(t->b + j) + load(y + j) * load(g + j));
        for (int64_t a = 0; a < n; a++) {
            const double share = y[a] * t->rate[i];
            double *row = t->system + a * t->stride;
            if (share == 0) continue;
            for (int64_t j = a / WIDTH * WIDTH; j < t->stride; j += WIDTH) store(row + j, load(row + j) - share * load(y + j));
        }
    }
    for (int64_t a = 0; a < n; a++)
        for (int64_t j = 0; j < a; j++) t->system[a * t->stride + j] = t->system[j * t->stride + a];
    for (int64_t a = 0; a < n; a++) {
        double *row = t->system + a * t->stride, sum = 0;
        for (int64_t j = 0; j < n; j++) sum += j == a ? 0 : row[j];
        row[a] = 1e-14 - sum;
        /* A constant over all columns moves nothing. */
        for (int64_t j = 0; j < n; j++) row[j] += 1 / (double)n;
    }
}

/* Gauss's elimination of a matrix that is positive but for rounding, where a column that no other meets has a pivot of
   nearly zero. */
static void solve_in_place(const struct limit *t) {
    const int64_t n = t->columns;
    for (int64_t p = 0; p < n; p++) {
        double *pivot = t->system + p * t->stride;
        if (!(pivot[p] > 1e-14)) pivot[p] = 1e-14;
        for (int64_t a = p + 1; a < n; a++) {
            double *row = t->system + a * t->stride;
            const double factor = pivot[a] / pivot[p]; /* the matrix is symmetric */
            if (factor == 0) continue;
            for (int64_t j = a / WIDTH * WIDTH; j < t->stride; j += WIDTH) store(row + j, load(row + j) - factor * load(pivot + j));
            t->b[a] -= factor * t->b[p];
        }
    }
    for (int64_t p = n - 1; p >= 0; p--) {
        const double *row = t->system + p * t->stride;
        double sum = t->b[p];
        for (int64_t j = p + 1; j < n; j++) sum -= row[j] * t->b[j];
        t->b[p] = sum / row[p];
    }
}

/* y `logits` [rows, n, m], its upstream gradient `other` [rows, n, m]; out: the gradient of x. */
static int sinkhorn_backward(const struct structure *s, int64_t begin, int64_t end) {
    const int64_t n = s->items, m = s->size, turned = n < m, rows = turned ? m : n, columns = turned ? n : m;
    const int64_t stride = PADDED(columns), step = turned ? 1 : m, along = turned ? m : 1;
    double *memory = malloc((size_t)((2 * rows + columns + 1) * stride + rows) * sizeof(double));
    if (!memory) return -1;
    struct limit t = {rows, columns, stride, memory, memory + rows * stride, memory + 2 * rows * stride,
                      memory + (2 * rows + columns) * stride, memory + (2 * rows + columns + 1) * stride};
    for (int64_t r = begin; r < end; r++) {
        const double *y = s->logits + r * n * m, *g = s->other + r * n * m;
        double *out = s->out + r * n * m;
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < stride; j++) {
                const int64_t from = i * step + j * along;
                t.y[i * stride + j] = j < columns ? y[from] : 0;
                t.g[i * stride + j] = j < columns ? g[from] : 0;
            }
        centre_rows(&t);
        laplacian(&t);
        solve_in_place(&t);
        for (int64_t i = 0; i < rows; i++) {
            const double *mass = t.y + i * stride, *centred = t.g + i * stride;
            double mean = 0;
            for (int64_t j = 0; j < columns; j++) mean += mass[j] * t.b[j];
            mean *= t.rate[i];
            for (int64_t j = 0; j < columns; j++) out[i * step + j * along] = mass[j] * (centred[j] - (t.b[j] - mean));
        }
    }
    free(memory);
    return 0;
}
