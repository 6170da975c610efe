/* Four lanes of the compiler's own vectors: SSE2, NEON or whatever there is. */
#define LANES 4
#define NAME(x) x##_generic
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu __attribute__((vector_size(16)));
typedef double vd __attribute__((vector_size(16)));
typedef int64_t vl __attribute__((vector_size(16)));
#define INLINE static inline __attribute__((always_inline))

INLINE vf where_set32(vi m, vf x, vf y) { return (vf)((m & (vi)x) | (~m & (vi)y)); }
INLINE vd where_set64(vl m, vd x, vd y) { return (vd)((m & (vl)x) | (~m & (vl)y)); }
INLINE vf fma32(vf a, vf b, vf c) { return a * b + c; }
INLINE vd fma64(vd a, vd b, vd c) { return a * b + c; }
INLINE vf max32(vf a, vf b) { return where_set32((vi)(a > b), a, b); }
INLINE vd max64(vd a, vd b) { return where_set64((vl)(a > b), a, b); }
INLINE vi max_int32(vi a, vi b) { vi m = a > b; return (m & a) | (~m & b); }
INLINE vl max_int64(vl a, vl b) { vl m = a > b; return (m & a) | (~m & b); }
/* x where s is negative, else y */
INLINE vf where_negative32(vi s, vf x, vf y) { return where_set32(s >> 31, x, y); }
INLINE vd where_negative64(vl s, vd x, vd y) { return where_set64(s >> 63, x, y); }
/* x where a < b, else y */
INLINE vf where_less32(vf a, vf b, vf x, vf y) { return where_set32((vi)(a < b), x, y); }
INLINE vd where_less64(vd a, vd b, vd x, vd y) { return where_set64((vl)(a < b), x, y); }
INLINE vi where_less_int32(vf a, vf b, vi x, vi y) { vi m = (vi)(a < b); return (m & x) | (~m & y); }
INLINE vl where_less_int64(vd a, vd b, vl x, vl y) { vl m = (vl)(a < b); return (m & x) | (~m & y); }
/* The signs of the lanes, a bit each. */
INLINE unsigned signs32(vi s) {
    return (unsigned)(s[0] < 0) | (unsigned)(s[1] < 0) << 1 | (unsigned)(s[2] < 0) << 2 | (unsigned)(s[3] < 0) << 3;
}
INLINE unsigned signs64(vl s) { return (unsigned)(s[0] < 0) | (unsigned)(s[1] < 0) << 1; }
INLINE int any_negative32(vi s) { return (s[0] | s[1] | s[2] | s[3]) < 0; }
INLINE int any_negative64(vl s) { return (s[0] | s[1]) < 0; }
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
INLINE float larger(float a, float b) { return a > b ? a : b; }
INLINE float highest32(vf a) { return larger(larger(a[0], a[2]), larger(a[1], a[3])); }
INLINE double highest64(vd a) { return a[0] > a[1] ? a[0] : a[1]; }
INLINE float total32(vf a) { return (a[0] + a[2]) + (a[1] + a[3]); }
INLINE double total64(vd a) { return a[0] + a[1]; }

INLINE float one_from_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, rest = h & 0x7FFF, bits;
    float value;
    if (rest >= 0x7C00) {
        bits = sign | 0x7F800000 | ((rest & 0x3FF) << 13);
        __builtin_memcpy(&value, &bits, 4);
        return value;
    }
    /* The multiplication also gives subnormal numbers their exponent. */
    bits = rest << 13;
    __builtin_memcpy(&value, &bits, 4);
    value *= 0x1p112f;
    return sign ? -value : value;
}
INLINE uint16_t one_to_half(float value) {
    uint32_t bits, sign;
    __builtin_memcpy(&bits, &value, 4);
    sign = (bits >> 16) & 0x8000;
    bits &= 0x7FFFFFFF;
    if (bits > 0x7F800000) return (uint16_t)(sign | 0x7E00);
    if (bits >= 0x477FF000) return (uint16_t)(sign | 0x7C00);
    if (bits < 0x38800000) { /* below 2^-14: adding 1/2 rounds at the right bit */
        float small;
        __builtin_memcpy(&small, &bits, 4);
        small += 0.5f;
        __builtin_memcpy(&bits, &small, 4);
        return (uint16_t)(sign | (bits - 0x3F000000));
    }
    return (uint16_t)(sign | ((bits - 0x38000000 + 0xFFF + ((bits >> 13) & 1)) >> 13));
}
INLINE vf from_half(const uint16_t *h) {
    return (vf){one_from_half(h[0]), one_from_half(h[1]), one_from_half(h[2]), one_from_half(h[3])};
}
INLINE void to_half(uint16_t *to, vf x) { for (int i = 0; i < 4; i++) to[i] = one_to_half(x[i]); }
INLINE vf from_bfloat(const uint16_t *from) { return (vf)((vi){from[0], from[1], from[2], from[3]} << 16); }
INLINE void narrow16(uint16_t *to, vi x) { for (int i = 0; i < 4; i++) to[i] = (uint16_t)x[i]; }

/* The first `left` lanes only; the others of what is loaded hold `fill`. */
INLINE vf load_part32(const float *from, int64_t left, float fill) {
    vf x = {fill, fill, fill, fill};
    for (int64_t lane = 0; lane < left; lane++) x[lane] = from[lane];
    return x;
}
INLINE vd load_part64(const double *from, int64_t left, double fill) {
    return (vd){from[0], left > 1 ? from[1] : fill};
}
INLINE void store_part32(float *to, int64_t left, vf x) {
    for (int64_t lane = 0; lane < left; lane++) to[lane] = x[lane];
}
INLINE void store_part64(double *to, int64_t left, vd x) {
    for (int64_t lane = 0; lane < left; lane++) to[lane] = x[lane];
}
INLINE void load_part16(uint16_t *edge, const uint16_t *from, int64_t left) {
    memcpy(edge, from, (size_t)left * 2);
}
INLINE void store_part16(uint16_t *to, const uint16_t *edge, int64_t left) { memcpy(to, edge, (size_t)left * 2); }

/* x where the mask's byte is not 0, else -inf; only the first `left` bytes exist. */
INLINE vf masked32(vf x, const uint8_t *mask, int64_t left) {
    for (int64_t lane = 0; lane < LANES && lane < left; lane++) x[lane] = mask[lane] ? x[lane] : -__builtin_inff();
    return x;
}
INLINE vd masked64(vd x, const uint8_t *mask, int64_t left) {
    for (int64_t lane = 0; lane < LANES / 2 && lane < left; lane++) x[lane] = mask[lane] ? x[lane] : -__builtin_inf();
    return x;
}

/* Philox: two counters in a vector; see avx512.h. */
#define GROUP 2
#define ABREAST 2
#define GROUP_ORDER {0, 1}
#if defined(__SSE2__)
INLINE vl mul_low(vl a, vl b) { return (vl)_mm_mul_epu32((__m128i)a, (__m128i)b); }
#elif defined(__aarch64__)
INLINE vl mul_low(vl a, vl b) { return (vl)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b)); }
#else
INLINE vl mul_low(vl a, vl b) {
    const uint64_t first = (uint64_t)(uint32_t)a[0] * (uint32_t)b[0], second = (uint64_t)(uint32_t)a[1] * (uint32_t)b[1];
    return (vl){(int64_t)first, (int64_t)second};
}
#endif
INLINE vl high_half(vl a) { return a >> 32; }
INLINE vl xor3(vl a, vl b, vl c) { return a ^ b ^ c; }
INLINE void store_words(uint32_t *words, vl c0, vl c1, vl c2, vl c3) {
    for (int lane = 0; lane < GROUP; lane++) {
        words[4 * lane] = (uint32_t)c0[lane], words[4 * lane + 1] = (uint32_t)c1[lane];
        words[4 * lane + 2] = (uint32_t)c2[lane], words[4 * lane + 3] = (uint32_t)c3[lane];
    }
}
