/* Eight lanes: AVX2, FMA and F16C. */
#define LANES 8
#define NAME(x) x##_avx2
typedef float vf __attribute__((vector_size(32)));
typedef int32_t vi __attribute__((vector_size(32)));
typedef uint32_t vu __attribute__((vector_size(32)));
typedef double vd __attribute__((vector_size(32)));
typedef int64_t vl __attribute__((vector_size(32)));
#define INLINE static inline __attribute__((always_inline))

INLINE vf fma32(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vd fma64(vd a, vd b, vd c) { return (vd)_mm256_fmadd_pd((__m256d)a, (__m256d)b, (__m256d)c); }
INLINE vf max32(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vd max64(vd a, vd b) { return (vd)_mm256_max_pd((__m256d)a, (__m256d)b); }
INLINE vi max_int32(vi a, vi b) { return (vi)_mm256_max_epi32((__m256i)a, (__m256i)b); }
INLINE vl max_int64(vl a, vl b) {
    return (vl)_mm256_blendv_epi8((__m256i)b, (__m256i)a, _mm256_cmpgt_epi64((__m256i)a, (__m256i)b));
}
/* x where s is negative, else y */
INLINE vf where_negative32(vi s, vf x, vf y) { return (vf)_mm256_blendv_ps((__m256)y, (__m256)x, (__m256)s); }
INLINE vd where_negative64(vl s, vd x, vd y) { return (vd)_mm256_blendv_pd((__m256d)y, (__m256d)x, (__m256d)s); }
/* x where a < b, else y */
INLINE vf where_less32(vf a, vf b, vf x, vf y) {
    return (vf)_mm256_blendv_ps((__m256)y, (__m256)x, _mm256_cmp_ps((__m256)a, (__m256)b, _CMP_LT_OQ));
}
INLINE vd where_less64(vd a, vd b, vd x, vd y) {
    return (vd)_mm256_blendv_pd((__m256d)y, (__m256d)x, _mm256_cmp_pd((__m256d)a, (__m256d)b, _CMP_LT_OQ));
}
INLINE vi where_less_int32(vf a, vf b, vi x, vi y) { return (vi)where_less32(a, b, (vf)x, (vf)y); }
INLINE vl where_less_int64(vd a, vd b, vl x, vl y) { return (vl)where_less64(a, b, (vd)x, (vd)y); }
/* The signs of the lanes, a bit each. */
INLINE unsigned signs32(vi s) { return (unsigned)_mm256_movemask_ps((__m256)s); }
INLINE unsigned signs64(vl s) { return (unsigned)_mm256_movemask_pd((__m256d)s); }
INLINE int any_negative32(vi s) { return signs32(s) != 0; }
INLINE int any_negative64(vl s) { return signs64(s) != 0; }
/* The smallest index among the lanes whose value is `top`. */
INLINE int64_t first_equal32(vf best, vi where, float top) {
    int64_t first = INT64_MAX;
    for (int lane = 0; lane < LANES; lane++)
        if (best[lane] == top && where[lane] < first) first = where[lane];
    return first;
}
INLINE int64_t first_equal64(vd best, vl where, double top) {
    int64_t first = INT64_MAX;
    for (int lane = 0; lane < LANES / 2; lane++)
        if (best[lane] == top && where[lane] < first) first = where[lane];
    return first;
}
INLINE float highest32(vf a) {
    __m128 h = _mm_max_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    h = _mm_max_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_max_ss(h, _mm_movehdup_ps(h)));
}
INLINE double highest64(vd a) {
    __m128d h = _mm_max_pd(_mm256_castpd256_pd128((__m256d)a), _mm256_extractf128_pd((__m256d)a, 1));
    return _mm_cvtsd_f64(_mm_max_sd(h, _mm_unpackhi_pd(h, h)));
}
INLINE float total32(vf a) {
    __m128 h = _mm_add_ps(_mm256_castps256_ps128((__m256)a), _mm256_extractf128_ps((__m256)a, 1));
    h = _mm_add_ps(h, _mm_movehl_ps(h, h));
    return _mm_cvtss_f32(_mm_add_ss(h, _mm_movehdup_ps(h)));
}
INLINE double total64(vd a) {
    __m128d h = _mm_add_pd(_mm256_castpd256_pd128((__m256d)a), _mm256_extractf128_pd((__m256d)a, 1));
    return _mm_cvtsd_f64(_mm_add_sd(h, _mm_unpackhi_pd(h, h)));
}

INLINE vf from_half(const uint16_t *from) { return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)from)); }
INLINE void to_half(uint16_t *to, vf x) {
    _mm_storeu_si128((__m128i *)to, _mm256_cvtps_ph((__m256)x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
INLINE vf from_bfloat(const uint16_t *from) {
    return (vf)_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)from)), 16);
}
INLINE void narrow16(uint16_t *to, vi x) {
    __m256i packed = _mm256_permute4x64_epi64(_mm256_packus_epi32((__m256i)x, (__m256i)x), 0x08);
    _mm_storeu_si128((__m128i *)to, _mm256_castsi256_si128(packed));
}

/* The first `left` lanes only; the others of what is loaded hold `fill`. */
INLINE __m256i first32(int64_t left) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
INLINE __m256i first64(int64_t left) {
    return _mm256_cmpgt_epi64(_mm256_set1_epi64x(left), _mm256_setr_epi64x(0, 1, 2, 3));
}
INLINE vf load_part32(const float *from, int64_t left, float fill) {
    __m256i lanes = first32(left);
    return where_negative32((vi)lanes, (vf)_mm256_maskload_ps(from, lanes), (vf)_mm256_set1_ps(fill));
}
INLINE vd load_part64(const double *from, int64_t left, double fill) {
    __m256i lanes = first64(left);
    return where_negative64((vl)lanes, (vd)_mm256_maskload_pd(from, lanes), (vd)_mm256_set1_pd(fill));
}
INLINE void store_part32(float *to, int64_t left, vf x) { _mm256_maskstore_ps(to, first32(left), (__m256)x); }
INLINE void store_part64(double *to, int64_t left, vd x) { _mm256_maskstore_pd(to, first64(left), (__m256d)x); }
INLINE void load_part16(uint16_t *edge, const uint16_t *from, int64_t left) {
    memcpy(edge, from, (size_t)left * 2);
}
INLINE void store_part16(uint16_t *to, const uint16_t *edge, int64_t left) { memcpy(to, edge, (size_t)left * 2); }

/* x where the mask's byte is not 0, else -inf; only the first `left` bytes exist. */
INLINE vf masked32(vf x, const uint8_t *mask, int64_t left) {
    int64_t eight = 0;
    memcpy(&eight, mask, left < 8 ? (size_t)left : 8);
    __m256i none = _mm256_cmpeq_epi32(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(eight)), _mm256_setzero_si256());
    return where_negative32((vi)none, (vf)_mm256_set1_ps(-__builtin_inff()), x);
}
INLINE vd masked64(vd x, const uint8_t *mask, int64_t left) {
    int32_t four = 0;
    memcpy(&four, mask, left < 4 ? (size_t)left : 4);
    __m256i none = _mm256_cmpeq_epi64(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four)), _mm256_setzero_si256());
    return where_negative64((vl)none, (vd)_mm256_set1_pd(-__builtin_inf()), x);
}

/* Philox: four counters in a vector; see avx512.h. */
#define GROUP 4
#define ABREAST 2
#define GROUP_ORDER {0, 2, 1, 3}
INLINE vl mul_low(vl a, vl b) { return (vl)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
INLINE vl high_half(vl a) { return (vl)_mm256_srli_epi64((__m256i)a, 32); }
INLINE vl xor3(vl a, vl b, vl c) { return a ^ b ^ c; }
INLINE void store_words(uint32_t *words, vl c0, vl c1, vl c2, vl c3) {
    __m256i a = _mm256_blend_epi32((__m256i)c0, _mm256_slli_epi64((__m256i)c1, 32), 0xAA);
    __m256i b = _mm256_blend_epi32((__m256i)c2, _mm256_slli_epi64((__m256i)c3, 32), 0xAA);
    _mm256_storeu_si256((__m256i *)words, _mm256_unpacklo_epi64(a, b));
    _mm256_storeu_si256((__m256i *)(words + 8), _mm256_unpackhi_epi64(a, b));
}
