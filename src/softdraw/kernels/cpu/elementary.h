/* Logarithm and exponential on vectors, in float32 and float64, for the ranges that occur here.
   float32: the polynomials of Cephes (Moshier); float64: those of fdlibm's log, and Taylor's series for exp. */

INLINE vf set32(float a) { return (vf){0} + a; }
INLINE vd set64(double a) { return (vd){0} + a; }

/* -(e * ln 2 + log(1 + f)) for f in [sqrt(1/2) - 1, sqrt(2) - 1] */
INLINE vf compose32(vf f, vi e) {
    vf k = __builtin_convertvector(e, vf), z = f * f;
    vf y = fma32(set32(7.0376836292E-2f), f, set32(-1.1514610310E-1f));
    y = fma32(y, f, set32(1.1676998740E-1f));
    y = fma32(y, f, set32(-1.2420140846E-1f));
    y = fma32(y, f, set32(1.4249322787E-1f));
    y = fma32(y, f, set32(-1.6668057665E-1f));
    y = fma32(y, f, set32(2.0000714765E-1f));
    y = fma32(y, f, set32(-2.4999993993E-1f));
    y = fma32(y, f, set32(3.3333331174E-1f));
    y = fma32(-f, y, set32(0.5f));
    return fma32(k, set32(-0.69314718056f), fma32(z, y, -f));
}
/* -log(x) */
INLINE vf minus_log32(vf x) {
    vi bits = (vi)x, e = (bits - 0x3F3504F3) >> 23;
    return compose32((vf)(bits - (e << 23)) - 1.0f, e);
}
/* -log(p) where upper is negative, -log(1 - p) elsewhere; p in (0, 1/2] */
INLINE vf minus_log_side32(vf p, vi upper) {
    vi bits = (vi)neg32(upper, p, 1.0f - p), e = (bits - 0x3F3504F3) >> 23;
    vf f = (vf)(bits - (e << 23)) - 1.0f;
    /* On the lower side with e = 0, 1 - p was rounded, and its distance to 1 is p itself. */
    return compose32(neg32(upper | e, f, -p), e);
}
/* exp(t) for t <= 0; 0 below -87.3 */
INLINE vf exp32(vf t) {
    const float magic = 12582912.0f;
    vf kept = max32(t, set32(-87.33654f)), n = fma32(kept, set32(1.44269504089f), set32(magic)), k = n - magic;
    vi e = (vi)n - (vi)set32(magic);
    vf r = fma32(k, set32(-0.693359375f), kept), y;
    r = fma32(k, set32(2.12194440e-4f), r);
    y = fma32(set32(1.9875691500E-4f), r, set32(1.3981999507E-3f));
    y = fma32(y, r, set32(8.3334519073E-3f));
    y = fma32(y, r, set32(4.1665795894E-2f));
    y = fma32(y, r, set32(1.6666665459E-1f));
    y = fma32(y, r, set32(5.0000001201E-1f));
    y = fma32(y, r * r, r) + 1.0f;
    return less32(t, set32(-87.33654f), set32(0.0f), (vf)((vi)y + (e << 23)));
}

INLINE vd compose64(vd f, vl e) {
    const double magic = 6755399441055744.0;
    vd k = (vd)(e + (vl)set64(magic)) - magic;
    vd s = f / (2.0 + f), z = s * s, half = 0.5 * f * f;
    vd r = fma64(z, set64(1.479819860511658591e-01), set64(1.531383769920937332e-01));
    r = fma64(z, r, set64(1.818357216161805012e-01));
    r = fma64(z, r, set64(2.222219843214978396e-01));
    r = fma64(z, r, set64(2.857142874366239149e-01));
    r = fma64(z, r, set64(3.999999999940941908e-01));
    r = z * fma64(z, r, set64(6.666666666666735130e-01));
    vd low = fma64(s, half + r, k * 1.90821492927058770002e-10);
    return fma64(k, set64(-6.93147180369123816490e-01), (half - low) - f);
}
INLINE vl exponent64(vl bits) {
    vl shifted = bits - 0x3FE6A09E667F3BCDLL;
    return shifted >> 52;
}
INLINE vd minus_log64(vd x) {
    vl bits = (vl)x, e = exponent64(bits);
    return compose64((vd)(bits - (e << 52)) - 1.0, e);
}
INLINE vd minus_log_side64(vd p, vl upper) {
    vl bits = (vl)neg64(upper, p, 1.0 - p), e = exponent64(bits);
    vd f = (vd)(bits - (e << 52)) - 1.0;
    return compose64(neg64(upper | e, f, -p), e);
}
INLINE vd exp64(vd t) {
    const double magic = 6755399441055744.0;
    vd kept = max64(t, set64(-708.0)), n = fma64(kept, set64(1.4426950408889634074), set64(magic)), k = n - magic;
    vl e = (vl)n - (vl)set64(magic);
    vd r = fma64(k, set64(-6.93147180369123816490e-01), kept), y;
    r = fma64(k, set64(-1.90821492927058770002e-10), r);
    y = fma64(set64(1.0 / 6227020800.0), r, set64(1.0 / 479001600.0));
    y = fma64(y, r, set64(1.0 / 39916800.0));
    y = fma64(y, r, set64(1.0 / 3628800.0));
    y = fma64(y, r, set64(1.0 / 362880.0));
    y = fma64(y, r, set64(1.0 / 40320.0));
    y = fma64(y, r, set64(1.0 / 5040.0));
    y = fma64(y, r, set64(1.0 / 720.0));
    y = fma64(y, r, set64(1.0 / 120.0));
    y = fma64(y, r, set64(1.0 / 24.0));
    y = fma64(y, r, set64(1.0 / 6.0));
    y = fma64(y, r, set64(0.5));
    y = fma64(y, r * r, r) + 1.0;
    return less64(t, set64(-708.0), set64(0.0), (vd)((vl)y + (e << 52)));
}
