/* Template (rows/dtypes.h): the gradient of a soft sample, row by row. */

/* The gradient of the logits from the soft sample: y (g - y . g) / tau; g is halved, because the difference of two
   gradients may overflow where the result does not. */
INLINE REAL F(double_rate)(REAL tau) { return tau == 0 ? 0 : 2 / tau < LARGEST ? 2 / tau : LARGEST; }

static void F(backward)(const STORED *grad, const STORED *y, int64_t classes, REAL tau, STORED *out) {
    const REAL rate = F(double_rate)(tau), half = (REAL)0.5;
    const int64_t whole = classes - classes % N, left = classes - whole;
    V dot = (V){0};
    for (int64_t i = 0; i < whole; i += N) dot = R(fma)(F(get)(y, i), F(get)(grad, i) * half, dot);
    if (left) dot = R(fma)(F(get_some)(y, whole, left, 0), F(get_some)(grad, whole, left, 0) * half, dot);
    const REAL mean = R(total)(dot);
    const V first = F(get_some)(y, 0, 1, 0);
    if (first[0] != first[0]) { /* a row of NaN moves with no logit */
        F(fill)(out, classes, 0);
        return;
    }
    for (int64_t i = 0; i < whole; i += N) F(put)(out, i, F(get)(y, i) * (F(get)(grad, i) * half - mean) * rate);
    if (left) {
        V v = F(get_some)(y, whole, left, 0), g = F(get_some)(grad, whole, left, 0);
        F(put_some)(out, whole, left, v * (g * half - mean) * rate);
    }
}

/* The same from unnormalised weights in z, with the roundings of a sample that was stored in between. */
static void F(backward_from)(const STORED *grad, REAL *z, REAL scale, int64_t classes, REAL tau, STORED *out) {
    const REAL rate = F(double_rate)(tau), half = (REAL)0.5;
    const int64_t whole = classes - classes % N, left = classes - whole;
    V dot = (V){0}, v;
    for (int64_t i = 0; i < whole; i += N) {
        v = F(rounded)(F(load)(z + i) * scale);
        F(store)(z + i, v);
        dot = R(fma)(v, F(get)(grad, i) * half, dot);
    }
    if (left) {
        v = F(rounded)(F(load)(z + whole) * scale);
        F(store)(z + whole, v);
        dot = R(fma)(v, F(get_some)(grad, whole, left, 0) * half, dot);
    }
    const REAL mean = R(total)(dot);
    for (int64_t i = 0; i < whole; i += N) F(put)(out, i, F(load)(z + i) * (F(get)(grad, i) * half - mean) * rate);
    if (left) {
        v = F(load)(z + whole) * (F(get_some)(grad, whole, left, 0) * half - mean) * rate;
        F(put_some)(out, whole, left, v);
    }
}
