/* Template (rows/dtypes.h): gradients of straight-through estimators that go through a softmax of the logits. */

/* Half the upstream gradient less its value at the winner. A Jacobian of a softmax ignores a constant, and halves do not
   overflow where the result does not. */
INLINE V F(centred)(const STORED *grad, int64_t i, int64_t classes, REAL at_winner) {
    V g = classes - i < N ? F(get_some)(grad, i, classes - i, 0) : F(get)(grad, i);
    return g * (REAL)0.5 - at_winner;
}
INLINE void F(put_all)(STORED *out, int64_t i, int64_t classes, V x) {
    if (classes - i < N) F(put_some)(out, i, classes - i, x);
    else F(put)(out, i, x);
}

/* p = softmax(logits / tau) of one row, padded with zeros to whole vectors. */
static void F(probabilities)(const struct F(row) *row, REAL tau, REAL *p) {
    const REAL rate = F(rate_of)(tau);
    const int64_t whole = row->classes - row->classes % (ABREAST * N);
    V total = (V){0}, v[ABREAST];
    for (int64_t i = 0; i < row->classes; i += i < whole ? ABREAST * N : N) {
        const int n = 1;
        if (i < whole) {
            for (int u = 0; u < ABREAST; u++) v[u] = (F(logits)(row, i + u * N, 1) - row->top) * rate;
            R(exp)(v, ABREAST);
            for (int u = 0; u < ABREAST; u++) F(store)(p + i + u * N, v[u]), total += v[u];
        } else {
            v[0] = (F(logits)(row, i, 0) - row->top) * rate;
            R(exp)(v, n);
            F(store)(p + i, v[0]), total += v[0];
        }
    }
    const REAL scale = 1 / R(total)(total);
    for (int64_t i = 0; i < row->classes; i += N) F(store)(p + i, F(load)(p + i) * scale);
}
