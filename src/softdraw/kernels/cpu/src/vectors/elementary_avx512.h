/* Logarithm and exponential for AVX-512, in place on `n` vectors in lock step (see elementary.h). Tables of 32 entries
   in registers make the series short, and with them the chains of operations that wait for each other. */
#include "unroll.h"
#define OWN_ELEMENTARY32

/* The five leading bits of a mantissa m in [1/2, 1) choose c near 1 / m: log m = log(c m) - log c. The c are whole
   512ths, so that c and c - 1 are exact. */
static const float log_points[32] = {
    1008/512.f, 978/512.f, 950/512.f, 923/512.f, 898/512.f, 874/512.f, 851/512.f, 830/512.f,
    809/512.f, 790/512.f, 771/512.f, 753/512.f, 736/512.f, 720/512.f, 705/512.f, 690/512.f,
    676/512.f, 662/512.f, 649/512.f, 636/512.f, 624/512.f, 612/512.f, 601/512.f, 590/512.f,
    580/512.f, 570/512.f, 560/512.f, 551/512.f, 542/512.f, 533/512.f, 524/512.f, 512/512.f,
};
static const float log_values[32] = {
    0.677398801f, 0.647185028f, 0.61813736f, 0.589304626f, 0.561845422f, 0.534755766f, 0.508087516f, 0.48310107f,
    0.457474291f, 0.43370831f, 0.409363747f, 0.385740608f, 0.362905502f, 0.340926588f, 0.319873184f, 0.298366964f,
    0.27786845f, 0.256940931f, 0.237108096f, 0.216873944f, 0.197825745f, 0.178407654f, 0.160270303f, 0.141797915f,
    0.124703482f, 0.107311733f, 0.0896121562f, 0.0734101832f, 0.0569413751f, 0.0401967987f, 0.0231670588f, 0.0f,
};
/* log c - log 2, for a mantissa in [1, 2). */
static const float log_values_less[32] = {
    -0.0157483574f, -0.0459621362f, -0.0750098228f, -0.103842571f, -0.131301731f, -0.158391431f, -0.185059682f, -0.210046098f,
    -0.235672891f, -0.259438872f, -0.283783436f, -0.307406574f, -0.33024168f, -0.352220595f, -0.373273998f, -0.394780219f,
    -0.415278733f, -0.436206251f, -0.456039101f, -0.476273239f, -0.495321423f, -0.514739513f, -0.532876849f, -0.551349282f,
    -0.568443716f, -0.585835457f, -0.603534997f, -0.619736969f, -0.636205792f, -0.652950406f, -0.669980109f, -0.693147182f,
};

INLINE __m512 entry32(__m512i entry, const float *table) {
    return _mm512_permutex2var_ps(_mm512_loadu_ps(table), entry, _mm512_loadu_ps(table + 16));
}

/* x[] = from - log(1 + r) */
INLINE void log_series32(vf *x, const __m512 *r, const __m512 *from, const int n) {
    __m512 y[ABREAST];
    EACH y[u] = _mm512_fmadd_ps(r[u], _mm512_set1_ps(0.25f), _mm512_set1_ps(-1.0f / 3.0f));
    EACH y[u] = _mm512_fmadd_ps(r[u], y[u], _mm512_set1_ps(0.5f));
    EACH y[u] = _mm512_fmsub_ps(_mm512_mul_ps(r[u], r[u]), y[u], r[u]);
    EACH x[u] = (vf)_mm512_add_ps(from[u], y[u]);
}

/* -log(x) for normal x; the exponent is that of the mantissa in [1, 2) */
INLINE void minus_log32(vf *x, const int n) {
    __m512 c[ABREAST], from[ABREAST], r[ABREAST];
    __m512i entry[ABREAST];
    EACH entry[u] = _mm512_srli_epi32((__m512i)x[u], 18);
    EACH r[u] = _mm512_getmant_ps((__m512)x[u], _MM_MANT_NORM_p5_1, _MM_MANT_SIGN_zero);
    EACH c[u] = entry32(entry[u], log_points);
    EACH r[u] = _mm512_fmsub_ps(r[u], c[u], _mm512_set1_ps(1.0f));
    EACH from[u] = entry32(entry[u], log_values_less);
    EACH c[u] = _mm512_getexp_ps((__m512)x[u]);
    EACH from[u] = _mm512_fmadd_ps(c[u], _mm512_set1_ps(-0.69314718056f), from[u]);
    log_series32(x, r, from, n);
}

/* -log(p) where upper is negative, -log(1 - p) elsewhere; p in (0, 1/2]. There 1 - p is rounded, so c (1 - p) - 1 is
   computed from p as (c - 1) - c p. */
INLINE void minus_log_side32(vf *p, const vi *upper, const int n) {
    const __m512 one = _mm512_set1_ps(1.0f), below_one = _mm512_set1_ps(0x1.fffffep-1f);
    __m512 c[ABREAST], from[ABREAST], r[ABREAST], e[ABREAST];
    __m512i entry[ABREAST];
    __mmask16 lower[ABREAST];
    EACH lower[u] = _mm512_cmpge_epi32_mask((__m512i)upper[u], _mm512_setzero_si512());
    EACH entry[u] = (__m512i)_mm512_mask_sub_ps((__m512)p[u], lower[u], below_one, (__m512)p[u]);
    EACH entry[u] = _mm512_srli_epi32(entry[u], 18);
    EACH r[u] = _mm512_getmant_ps((__m512)p[u], _MM_MANT_NORM_p5_1, _MM_MANT_SIGN_zero);
    EACH e[u] = _mm512_getexp_ps((__m512)p[u]);
    EACH r[u] = _mm512_mask_sub_ps(r[u], lower[u], _mm512_setzero_ps(), (__m512)p[u]);
    EACH c[u] = entry32(entry[u], log_points);
    EACH e[u] = _mm512_maskz_add_ps(_knot_mask16(lower[u]), e[u], one);
    EACH from[u] = entry32(entry[u], log_values);
    EACH r[u] = _mm512_fmadd_ps(c[u], r[u], _mm512_mask_sub_ps(_mm512_set1_ps(-1.0f), lower[u], c[u], one));
    EACH from[u] = _mm512_fmadd_ps(e[u], _mm512_set1_ps(-0.69314718056f), from[u]);
    log_series32(p, r, from, n);
}

/* The bits of 2^(i / 32) less those of i that a shift by 18 puts into the mantissa. */
static const uint32_t exp_values[32] = {
    0x3F800000, 0x3F7ECD87, 0x3F7DAAC3, 0x3F7C980F, 0x3F7B95C2, 0x3F7AA43A, 0x3F79C3D3, 0x3F78F4F0,
    0x3F7837F0, 0x3F778D3A, 0x3F76F532, 0x3F767043, 0x3F75FED7, 0x3F75A15B, 0x3F75583F, 0x3F7523F6,
    0x3F7504F3, 0x3F74FBAF, 0x3F7508A4, 0x3F752C4D, 0x3F75672A, 0x3F75B9BE, 0x3F76248C, 0x3F76A81E,
    0x3F7744FD, 0x3F77FBB8, 0x3F78CCDF, 0x3F79B907, 0x3F7AC0C7, 0x3F7BE4BA, 0x3F7D257D, 0x3F7E83B3,
};

/* exp(t) for t <= 0; 0 below -87.3 */
INLINE void exp32(vf *t, const int n) {
    const __m512 magic = _mm512_set1_ps(12582912.0f); /* in its last bits a float near it is a whole number */
    __m512 k[ABREAST], r[ABREAST], y[ABREAST];
    __m512i power[ABREAST];
    EACH k[u] = _mm512_fmadd_ps((__m512)t[u], _mm512_set1_ps(46.16624130844683f), magic);
    EACH power[u] = _mm512_castps_si512(entry32(_mm512_castps_si512(k[u]), (const float *)exp_values));
    EACH power[u] = _mm512_add_epi32(power[u], _mm512_slli_epi32(_mm512_castps_si512(k[u]), 18));
    EACH k[u] = _mm512_sub_ps(k[u], magic);
    EACH r[u] = _mm512_fmadd_ps(k[u], _mm512_set1_ps(-0x1.62e0000000000p-6f), (__m512)t[u]);
    EACH r[u] = _mm512_fmadd_ps(k[u], _mm512_set1_ps(-0x1.0bfbe80000000p-20f), r[u]);
    EACH y[u] = _mm512_fmadd_ps(r[u], _mm512_set1_ps(1.0f / 6.0f), _mm512_set1_ps(0.5f));
    EACH y[u] = _mm512_fmadd_ps(_mm512_mul_ps(r[u], r[u]), y[u], r[u]);
    EACH {
        __mmask16 some = _mm512_cmp_ps_mask((__m512)t[u], _mm512_set1_ps(-87.33654f), _CMP_GE_OQ);
        __m512 whole = _mm512_castsi512_ps(power[u]);
        t[u] = (vf)_mm512_maskz_fmadd_ps(some, whole, y[u], whole);
    }
}
