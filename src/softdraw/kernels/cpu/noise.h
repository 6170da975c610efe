/* From words to noise, a vector at a time. */

/* High words nearer than this to an end take their low word into account in float32. */
#define REFINED_BELOW 65536

INLINE vf from_tail32(vf p, vi upper, int law) {
    if (law == LAW_UNIFORM) {
        vf u = 1.0f - p, last = set32(0x1.fffffep-1f);
        return neg32(upper, less32(u, last, u, last), p);
    }
    if (law == LAW_LOGISTIC) {
        vi lower = (vi){0};
        vf size = minus_log_side32(p, ~lower) - minus_log_side32(p, lower);
        return neg32(upper, size, -size);
    }
    vf e = minus_log_side32(p, upper);
    return law == LAW_EXPONENTIAL ? e : minus_log32(e);
}
INLINE vd from_tail64(vd p, vl upper, int law) {
    if (law == LAW_UNIFORM) {
        vd u = 1.0 - p, last = set64(0x1.fffffffffffffp-1);
        return neg64(upper, less64(u, last, u, last), p);
    }
    if (law == LAW_LOGISTIC) {
        vl lower = (vl){0};
        vd size = minus_log_side64(p, ~lower) - minus_log_side64(p, lower);
        return neg64(upper, size, -size);
    }
    vd e = minus_log_side64(p, upper);
    return law == LAW_EXPONENTIAL ? e : minus_log64(e);
}

/* The probability of the nearer tail where lanes need their low words: rare, hence out of line. */
static __attribute__((noinline)) vf refined32(const struct tile *t, int64_t i, vi m, vi upper, vf p) {
    for (int lane = 0; lane < LANES; lane++)
        if (m[lane] < REFINED_BELOW) {
            uint32_t low = low_word(t, i + lane) ^ (uint32_t)upper[lane];
            p[lane] = (float)m[lane] * 0x1p-32f + ((float)low + 0.5f) * 0x1p-64f;
        }
    return p;
}

/* Noise of the elements from i of the tile. */
INLINE vf noise32(const struct tile *t, int64_t i, int law) {
    vi word, upper, m;
    memcpy(&word, t->words + i, sizeof word);
    upper = word >> 31;
    m = word ^ upper;
    vf p = fma32(__builtin_convertvector(m, vf), set32(0x1p-32f), set32(0x1p-33f));
    if (__builtin_expect(any_negative32(m - REFINED_BELOW), 0)) p = refined32(t, i, m, upper, p);
    return from_tail32(p, upper, law);
}
/* The same in float64, which needs the low words of all elements in `fine`. */
INLINE vd noise64(const struct tile *t, int64_t i, int law) {
    /* An integer below 2^32 in the mantissa of 2^52 is that number plus 2^52. */
    const vl exponent = (vl)set64(0x1p52);
    vl word, fine, upper;
    for (int lane = 0; lane < LANES / 2; lane++) {
        word[lane] = (int32_t)t->words[i + lane];
        fine[lane] = (int64_t)t->fine[i + lane];
    }
    upper = word >> 63;
    vd m = (vd)((word ^ upper) | exponent) - 0x1p52;
    vd n = (vd)((fine ^ (upper & 0xFFFFFFFFLL)) | exponent) - 0x1p52;
    return from_tail64(m * 0x1p-32 + (n + 0.5) * 0x1p-64, upper, law);
}

static void prepare32(struct tile *t) { make_words(t, 0, t->words); }
static void prepare64(struct tile *t) {
    make_words(t, 0, t->words);
    make_words(t, FLAG, t->fine);
}

/* A number that the Gumbel noise of the elements from i stays below, at the price of no logarithm: G <= -log(u), and
   the bits of a float, read as an integer, are a lower bound of its binary logarithm (log2(1 + f) >= f). */
INLINE vf gumbel_bound32(const struct tile *t, int64_t i) {
    vu word;
    memcpy(&word, t->words + i, sizeof word);
    vf half = __builtin_convertvector((vi)(word >> 1), vf); /* at most 2^31 u, but for rounding */
    vf logarithm = __builtin_convertvector((vi)half, vf);
    /* ln 2 (127 + 31), and 1e-4 for all roundings on the way to a score */
    return fma32(logarithm, set32(-0x1.62e43p-24f), set32(109.5171f + 1e-4f));
}
