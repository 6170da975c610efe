/* Vectors of float64 as structures use them (see elementary.h for their exponential and logarithm). float64 throughout:
   structures are small beside the draws, and their recursions add up what float32 would round away. */

#define WIDTH (LANES / 2)
/* Elements to reserve for n, so that whole vectors can be read and written. */
#define PADDED(n) (((n) + WIDTH - 1) / WIDTH * WIDTH)

/* The logarithm of zero, finite so that differences of two are numbers; everything below NOTHING is zero. */
#define LOG_ZERO -1e300
#define NOTHING -1e290

INLINE vd load(const double *from) { vd x; memcpy(&x, from, sizeof x); return x; }
INLINE void store(double *to, vd x) { memcpy(to, &x, sizeof x); }
INLINE vd all(double a) { return (vd){0} + a; }
INLINE vd pick(vl m, vd x, vd y) { return (vd)((m & (vl)x) | (~m & (vl)y)); }
INLINE vd upper(vd a, vd b) { return pick(a > b, a, b); }
INLINE vd lower(vd a, vd b) { return pick(a < b, a, b); }
INLINE double sum_of(vd x) {
    double sum = 0;
    for (int lane = 0; lane < WIDTH; lane++) sum += x[lane];
    return sum;
}
/* Lanes whose number, counted from i, is below n. */
INLINE vl below(int64_t i, int64_t n) {
    vl lanes;
    for (int lane = 0; lane < WIDTH; lane++) lanes[lane] = lane;
    return lanes < (vl){0} + (n - i);
}
INLINE vd exp_of(vd x) {
    exp64(&x, 1);
    return x;
}
INLINE vd log_of(vd x) {
    minus_log64(&x, 1);
    return -x;
}
/* log(exp(a) + exp(b)) */
INLINE vd log_sum(vd a, vd b) {
    const vd top = upper(a, b);
    return top + log_of(1.0 + exp_of(lower(a, b) - top));
}
/* 1 / (1 + exp(-x)); its complement is sigmoid_of(-x), as exact */
INLINE vd sigmoid_of(vd x) {
    const vl up = x > 0;
    const vd e = exp_of(pick(up, -x, x)), one = 1.0 / (1.0 + e);
    return pick(up, one, e * one);
}
