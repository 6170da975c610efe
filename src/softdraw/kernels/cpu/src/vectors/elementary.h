/* Logarithm and exponential on vectors, in float32 and float64, for the ranges that occur here.
   float32: the polynomials of Cephes (Moshier); float64: those of fdlibm's log, and Taylor's series for exp.

   Each function works in place on `n` vectors (at most ABREAST) in lock step: one polynomial is a long chain of
   operations that wait for each other, and several chains side by side keep the processor busy. */
#include "unroll.h"

INLINE vf set32(float a) { return (vf){0} + a; }
INLINE vd set64(double a) { return (vd){0} + a; }

INLINE void polynomial32(vf *y, const vf *x, const float *coefficients, const int count, const int n) {
    EACH y[u] = fma32(set32(coefficients[0]), x[u], set32(coefficients[1]));
    UNROLL for (int i = 2; i < count; i++) EACH y[u] = fma32(y[u], x[u], set32(coefficients[i]));
}
INLINE void polynomial64(vd *y, const vd *x, const double *coefficients, const int count, const int n) {
    EACH y[u] = fma64(set64(coefficients[0]), x[u], set64(coefficients[1]));
    UNROLL for (int i = 2; i < count; i++) EACH y[u] = fma64(y[u], x[u], set64(coefficients[i]));
}

#ifndef OWN_ELEMENTARY32
/* x[] = -(e * ln 2 + log(1 + f)) for f in [sqrt(1/2) - 1, sqrt(2) - 1] */
INLINE void compose32(vf *x, const vf *f, const vi *e, const int n) {
    static const float log_series[] = {
        7.0376836292E-2f,  -1.1514610310E-1f, 1.1676998740E-1f,  -1.2420140846E-1f, 1.4249322787E-1f,
        -1.6668057665E-1f, 2.0000714765E-1f,  -2.4999993993E-1f, 3.3333331174E-1f,
    };
    vf y[ABREAST];
    polynomial32(y, f, log_series, 9, n);
    EACH y[u] = fma32(-f[u], y[u], set32(0.5f));
    EACH y[u] = fma32(f[u] * f[u], y[u], -f[u]);
    EACH x[u] = fma32(__builtin_convertvector(e[u], vf), set32(-0.69314718056f), y[u]);
}
/* -log(x) */
INLINE void minus_log32(vf *x, const int n) {
    vi e[ABREAST];
    vf f[ABREAST];
    EACH e[u] = ((vi)x[u] - 0x3F3504F3) >> 23;
    EACH f[u] = (vf)((vi)x[u] - (e[u] << 23)) - 1.0f;
    compose32(x, f, e, n);
}
/* -log(p) where upper is negative, -log(1 - p) elsewhere; p in (0, 1/2] */
INLINE void minus_log_side32(vf *p, const vi *upper, const int n) {
    vi bits[ABREAST], e[ABREAST];
    vf f[ABREAST];
    EACH bits[u] = (vi)where_negative32(upper[u], p[u], 1.0f - p[u]);
    EACH e[u] = (bits[u] - 0x3F3504F3) >> 23;
    EACH f[u] = (vf)(bits[u] - (e[u] << 23)) - 1.0f;
    /* On the lower side with e = 0, 1 - p was rounded, and its distance to 1 is p itself. */
    EACH f[u] = where_negative32(upper[u] | e[u], f[u], -p[u]);
    compose32(p, f, e, n);
}
/* exp(t) for t <= 0; 0 below -87.3 */
INLINE void exp32(vf *t, const int n) {
    static const float exp_series[] = {
        1.9875691500E-4f, 1.3981999507E-3f, 8.3334519073E-3f, 4.1665795894E-2f, 1.6666665459E-1f, 5.0000001201E-1f,
    };
    const float magic = 12582912.0f;
    vf k[ABREAST], r[ABREAST], y[ABREAST];
    vi e[ABREAST];
    EACH r[u] = max32(t[u], set32(-87.33654f));
    EACH k[u] = fma32(r[u], set32(1.44269504089f), set32(magic));
    EACH e[u] = (vi)k[u] - (vi)set32(magic);
    EACH k[u] = k[u] - magic;
    EACH r[u] = fma32(k[u], set32(-0.693359375f), r[u]);
    EACH r[u] = fma32(k[u], set32(2.12194440e-4f), r[u]);
    polynomial32(y, r, exp_series, 6, n);
    EACH y[u] = fma32(y[u], r[u] * r[u], r[u]) + 1.0f;
    EACH t[u] = where_less32(t[u], set32(-87.33654f), set32(0.0f), (vf)((vi)y[u] + (e[u] << 23)));
}
#endif

INLINE void compose64(vd *x, const vd *f, const vl *e, const int n) {
    static const double log_series[] = {
        1.479819860511658591e-01, 1.531383769920937332e-01, 1.818357216161805012e-01, 2.222219843214978396e-01,
        2.857142874366239149e-01, 3.999999999940941908e-01, 6.666666666666735130e-01,
    };
    const double magic = 6755399441055744.0;
    vd s[ABREAST], z[ABREAST], r[ABREAST], k[ABREAST], half[ABREAST];
    EACH k[u] = (vd)(e[u] + (vl)set64(magic)) - magic;
    EACH s[u] = f[u] / (2.0 + f[u]);
    EACH z[u] = s[u] * s[u];
    EACH half[u] = 0.5 * f[u] * f[u];
    polynomial64(r, z, log_series, 7, n);
    EACH r[u] = z[u] * r[u];
    EACH r[u] = fma64(s[u], half[u] + r[u], k[u] * 1.90821492927058770002e-10);
    EACH x[u] = fma64(k[u], set64(-6.93147180369123816490e-01), (half[u] - r[u]) - f[u]);
}
INLINE vl exponent64(vl bits) {
    vl shifted = bits - 0x3FE6A09E667F3BCDLL;
    return shifted >> 52;
}
INLINE void minus_log64(vd *x, const int n) {
    vl e[ABREAST];
    vd f[ABREAST];
    EACH e[u] = exponent64((vl)x[u]);
    EACH f[u] = (vd)((vl)x[u] - (e[u] << 52)) - 1.0;
    compose64(x, f, e, n);
}
INLINE void minus_log_side64(vd *p, const vl *upper, const int n) {
    vl bits[ABREAST], e[ABREAST];
    vd f[ABREAST];
    EACH bits[u] = (vl)where_negative64(upper[u], p[u], 1.0 - p[u]);
    EACH e[u] = exponent64(bits[u]);
    EACH f[u] = (vd)(bits[u] - (e[u] << 52)) - 1.0;
    EACH f[u] = where_negative64(upper[u] | e[u], f[u], -p[u]);
    compose64(p, f, e, n);
}
INLINE void exp64(vd *t, const int n) {
    static const double exp_series[] = {
        1.0 / 6227020800.0, 1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
        1.0 / 5040.0,       1.0 / 720.0,       1.0 / 120.0,      1.0 / 24.0,      1.0 / 6.0,      0.5,
    };
    const double magic = 6755399441055744.0;
    vd k[ABREAST], r[ABREAST], y[ABREAST];
    vl e[ABREAST];
    EACH r[u] = max64(t[u], set64(-708.0));
    EACH k[u] = fma64(r[u], set64(1.4426950408889634074), set64(magic));
    EACH e[u] = (vl)k[u] - (vl)set64(magic);
    EACH k[u] = k[u] - magic;
    EACH r[u] = fma64(k[u], set64(-6.93147180369123816490e-01), r[u]);
    EACH r[u] = fma64(k[u], set64(-1.90821492927058770002e-10), r[u]);
    polynomial64(y, r, exp_series, 12, n);
    EACH y[u] = fma64(y[u], r[u] * r[u], r[u]) + 1.0;
    EACH t[u] = where_less64(t[u], set64(-708.0), set64(0.0), (vd)((vl)y[u] + (e[u] << 52)));
}
