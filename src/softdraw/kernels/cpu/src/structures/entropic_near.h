/* Entropic top-k of a row of float32, in float32. What is not usual (an item that may not be taken, numbers or temperatures
   that float32 has no room for) is left to float64: then these return 0, with nothing written. */

static vf near_part(const float *from, int64_t left, float fill) {
    vf x;
    if (left < LANES) return load_part32(from, left, fill);
    memcpy(&x, from, sizeof x);
    return x;
}

/* `x` and `y` are scratch of `padded` numbers. */
static int entropic_near(const float *logits, float *out, int64_t n, int64_t k, double tau, float *x, float *y,
                         int64_t padded) {
    const double rate = 1 / tau;
    if (k <= 0 || k >= n || !(rate > 1e-6 && rate < 1e6)) return 0;
    vf lows = set32(__builtin_inff()), highs = -lows, sums = (vf){0}, squares = (vf){0};
    int64_t i = 0;
    for (; i + LANES <= n; i += LANES) {
        const vf logit = near_part(logits + i, LANES, 0);
        lows = where_less32(logit, lows, logit, lows), highs = max32(highs, logit), sums += logit;
        squares += (logit - logits[0]) * (logit - logits[0]);
        memcpy(x + i, &logit, sizeof logit);
    }
    double least = -(double)highest32(-lows), most = (double)highest32(highs), sum = (double)total32(sums);
    for (; i < n; i++) {
        const double logit = (double)logits[i];
        least = logit < least ? logit : least, most = logit > most ? logit : most, sum += logit;
        x[i] = logits[i];
    }
    if (!(sum - sum == 0 && least > -1e29 && most < 1e29)) return 0; /* NaN makes the sum one */
    for (; i < padded; i++) x[i] = -1e30f;
    /* Of many normal items with the logistic of a temperature, which is nearly normal: where their sum is k. */
    const double spread = (log((double)n) + 40) / rate, mean = sum / (double)n, shift = mean - (double)logits[0];
    const double variance = fmax((double)total32(squares) / (double)n - shift * shift, 0) / (1.702 * 1.702);
    const double guess = mean - log((double)k / (double)(n - k)) * sqrt(variance + 1 / (rate * rate));
    double low = least - spread, high = most + spread;
    double nu = guess > low && guess < high ? guess : 0.5 * (low + high);
    double apart = 0;
    for (int step = 0;; step++) {
        const struct level l = level_near(x, y, n, nu, (float)rate);
        if (excess(&l, (double)k) > 0) low = nu;
        else high = nu;
        const double next = next_level(&l, (double)k, (double)n, nu, rate);
        apart = (nu - next) * rate;
        /* The step was right to its third power. Told before the bracket is asked, whose ends sums may round past. */
        if (fabs(apart) < 4e-4) break;
        nu = bracketed(next, low, high);
        if (step == 40) return 0;
    }
    /* The weights over so short a way are straight, to its square. */
    const float by = (float)apart;
    for (i = 0; i < n; i += LANES) {
        const vf weight = near_part(y + i, LANES, 0), moved = weight + weight * (1.0f - weight) * by;
        memcpy(out + i, &moved, (size_t)(n - i < LANES ? n - i : LANES) * sizeof(float));
    }
    return 1;
}

/* entropic_gradient of a row whose mass is a number. */
static int gradient_near(const float *y, const float *g, float *out, int64_t n, double tau) {
    const double rate = 1 / tau;
    if (!(rate > 1e-6 && rate < 1e6)) return 0;
    double mass = 0, mean = 0;
    for (int64_t from = 0; from < n; from += SUMMED_NEAR) {
        const int64_t to = from + SUMMED_NEAR < n ? from + SUMMED_NEAR : n;
        vf masses = (vf){0}, means = (vf){0};
        for (int64_t i = from; i < to; i += LANES) {
            const vf v = near_part(y + i, n - i, 0), w = v * (1.0f - v);
            masses += w, means += w * near_part(g + i, n - i, 0);
        }
        mass += total32(masses), mean += total32(means);
    }
    if (!(mass > 0 && mean - mean == 0)) return 0;
    const float centre = (float)(mean / mass), single = (float)rate;
    for (int64_t i = 0; i < n; i += LANES) {
        const vf v = near_part(y + i, n - i, 0), found = v * (1.0f - v) * (near_part(g + i, n - i, 0) - centre) * single;
        memcpy(out + i, &found, (size_t)(n - i < LANES ? n - i : LANES) * sizeof(float));
    }
    return 1;
}
