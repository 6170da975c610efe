/* Sixteen lanes: AVX-512 F, BW, DQ, VL. */
#define LANES 16
#define NAME(x) x##_avx512
typedef float vf __attribute__((vector_size(64)));
typedef int32_t vi __attribute__((vector_size(64)));
typedef uint32_t vu __attribute__((vector_size(64)));
typedef double vd __attribute__((vector_size(64)));
typedef int64_t vl __attribute__((vector_size(64)));
#define INLINE static inline __attribute__((always_inline))

INLINE vf fma32(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vd fma64(vd a, vd b, vd c) { return (vd)_mm512_fmadd_pd((__m512d)a, (__m512d)b, (__m512d)c); }
INLINE vf max32(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vd max64(vd a, vd b) { return (vd)_mm512_max_pd((__m512d)a, (__m512d)b); }
INLINE vi max_int32(vi a, vi b) { return (vi)_mm512_max_epi32((__m512i)a, (__m512i)b); }
INLINE vl max_int64(vl a, vl b) { return (vl)_mm512_max_epi64((__m512i)a, (__m512i)b); }
/* x where s is negative, else y */
INLINE vf where_negative32(vi s, vf x, vf y) {
    return (vf)_mm512_mask_blend_ps(_mm512_movepi32_mask((__m512i)s), (__m512)y, (__m512)x);
}
INLINE vd where_negative64(vl s, vd x, vd y) {
    return (vd)_mm512_mask_blend_pd(_mm512_movepi64_mask((__m512i)s), (__m512d)y, (__m512d)x);
}
/* x where a < b, else y */
INLINE vf where_less32(vf a, vf b, vf x, vf y) {
    return (vf)_mm512_mask_blend_ps(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512)y, (__m512)x);
}
INLINE vd where_less64(vd a, vd b, vd x, vd y) {
    return (vd)_mm512_mask_blend_pd(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LT_OQ), (__m512d)y, (__m512d)x);
}
INLINE vi where_less_int32(vf a, vf b, vi x, vi y) {
    return (vi)_mm512_mask_blend_epi32(_mm512_cmp_ps_mask((__m512)a, (__m512)b, _CMP_LT_OQ), (__m512i)y, (__m512i)x);
}
INLINE vl where_less_int64(vd a, vd b, vl x, vl y) {
    return (vl)_mm512_mask_blend_epi64(_mm512_cmp_pd_mask((__m512d)a, (__m512d)b, _CMP_LT_OQ), (__m512i)y, (__m512i)x);
}
/* The signs of the lanes, a bit each. */
INLINE unsigned signs32(vi s) { return _mm512_movepi32_mask((__m512i)s); }
INLINE unsigned signs64(vl s) { return _mm512_movepi64_mask((__m512i)s); }
INLINE int any_negative32(vi s) { return signs32(s) != 0; }
INLINE int any_negative64(vl s) { return signs64(s) != 0; }
/* The smallest index among the lanes whose value is `top`. */
INLINE int64_t first_equal32(vf best, vi where, float top) {
    __mmask16 lanes = _mm512_cmp_ps_mask((__m512)best, _mm512_set1_ps(top), _CMP_EQ_OQ);
    return _mm512_mask_reduce_min_epi32(lanes, (__m512i)where);
}
INLINE int64_t first_equal64(vd best, vl where, double top) {
    __mmask8 lanes = _mm512_cmp_pd_mask((__m512d)best, _mm512_set1_pd(top), _CMP_EQ_OQ);
    return _mm512_mask_reduce_min_epi64(lanes, (__m512i)where);
}
INLINE float highest32(vf a) { return _mm512_reduce_max_ps((__m512)a); }
INLINE double highest64(vd a) { return _mm512_reduce_max_pd((__m512d)a); }
INLINE float total32(vf a) { return _mm512_reduce_add_ps((__m512)a); }
INLINE double total64(vd a) { return _mm512_reduce_add_pd((__m512d)a); }

INLINE vf from_half(const uint16_t *from) { return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)from)); }
INLINE void to_half(uint16_t *to, vf x) {
    _mm256_storeu_si256((__m256i *)to, _mm512_cvtps_ph((__m512)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLINE vf from_bfloat(const uint16_t *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return (vf)_mm512_slli_epi32(wide, 16);
}
INLINE void narrow16(uint16_t *to, vi x) { _mm256_storeu_si256((__m256i *)to, _mm512_cvtepi32_epi16((__m512i)x)); }

/* The first `left` lanes only; the others of what is loaded hold `fill`. */
INLINE vf load_part32(const float *from, int64_t left, float fill) {
    return (vf)_mm512_mask_loadu_ps(_mm512_set1_ps(fill), (__mmask16)((1u << left) - 1), from);
}
INLINE vd load_part64(const double *from, int64_t left, double fill) {
    return (vd)_mm512_mask_loadu_pd(_mm512_set1_pd(fill), (__mmask8)((1u << left) - 1), from);
}
INLINE void store_part32(float *to, int64_t left, vf x) {
    _mm512_mask_storeu_ps(to, (__mmask16)((1u << left) - 1), (__m512)x);
}
INLINE void store_part64(double *to, int64_t left, vd x) {
    _mm512_mask_storeu_pd(to, (__mmask8)((1u << left) - 1), (__m512d)x);
}
INLINE void load_part16(uint16_t *edge, const uint16_t *from, int64_t left) {
    _mm256_storeu_si256((__m256i *)edge, _mm256_maskz_loadu_epi16((__mmask16)((1u << left) - 1), from));
}
INLINE void store_part16(uint16_t *to, const uint16_t *edge, int64_t left) {
    _mm256_mask_storeu_epi16(to, (__mmask16)((1u << left) - 1), _mm256_loadu_si256((const __m256i *)edge));
}

/* x where the mask's byte is not 0, else -inf; only the first `left` bytes exist. */
INLINE vf masked32(vf x, const uint8_t *mask, int64_t left) {
    __mmask16 there = left < 16 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFFFF;
    __m128i bytes = _mm_maskz_loadu_epi8(there, mask);
    return (vf)_mm512_mask_blend_ps(_mm_test_epi8_mask(bytes, bytes), _mm512_set1_ps(-__builtin_inff()), (__m512)x);
}
INLINE vd masked64(vd x, const uint8_t *mask, int64_t left) {
    __mmask16 there = left < 8 ? (__mmask16)((1u << left) - 1) : (__mmask16)0xFF;
    __m128i bytes = _mm_maskz_loadu_epi8(there, mask);
    __mmask8 allowed = (__mmask8)_mm_test_epi8_mask(bytes, bytes);
    return (vd)_mm512_mask_blend_pd(allowed, _mm512_set1_pd(-__builtin_inf()), (__m512d)x);
}

/* Philox: eight counters in a vector, in an order that makes the words come out in theirs. */
#define GROUP 8
#define ABREAST 4
#define GROUP_ORDER {0, 4, 1, 5, 2, 6, 3, 7}
INLINE vl mul_low(vl a, vl b) { return (vl)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
INLINE vl high_half(vl a) { return (vl)_mm512_shuffle_epi32((__m512i)a, 0xF5); }
INLINE vl xor3(vl a, vl b, vl c) { return (vl)_mm512_ternarylogic_epi64((__m512i)a, (__m512i)b, (__m512i)c, 0x96); }
INLINE void store_words(uint32_t *words, vl c0, vl c1, vl c2, vl c3) {
    __m512i a = _mm512_mask_shuffle_epi32((__m512i)c0, 0xAAAA, (__m512i)c1, 0xA0);
    __m512i b = _mm512_mask_shuffle_epi32((__m512i)c2, 0xAAAA, (__m512i)c3, 0xA0);
    _mm512_storeu_si512(words, _mm512_unpacklo_epi64(a, b));
    _mm512_storeu_si512(words + 16, _mm512_unpackhi_epi64(a, b));
}

#include "elementary_avx512.h"
