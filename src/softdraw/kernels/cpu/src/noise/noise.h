/* From words to noise, `n` vectors at a time (see elementary.h). */

/* High words nearer than this to an end take their low word into account in float32. */
#define REFINED_BELOW 65536

INLINE void from_tail32(vf *p, const vi *upper, int law, const int n) {
    if (law == LAW_UNIFORM) {
        const vf last = set32(0x1.fffffep-1f);
        EACH {
            vf v = 1.0f - p[u];
            p[u] = where_negative32(upper[u], where_less32(v, last, v, last), p[u]);
        }
    } else if (law == LAW_LOGISTIC) {
        vf size[ABREAST];
        vi near[ABREAST], far[ABREAST];
        EACH size[u] = p[u], near[u] = (vi){0} - 1, far[u] = (vi){0};
        minus_log_side32(size, near, n);
        minus_log_side32(p, far, n);
        EACH p[u] = where_negative32(upper[u], size[u] - p[u], p[u] - size[u]);
    } else {
        minus_log_side32(p, upper, n);
        if (law == LAW_GUMBEL) minus_log32(p, n);
    }
}
INLINE void from_tail64(vd *p, const vl *upper, int law, const int n) {
    if (law == LAW_UNIFORM) {
        const vd last = set64(0x1.fffffffffffffp-1);
        EACH {
            vd v = 1.0 - p[u];
            p[u] = where_negative64(upper[u], where_less64(v, last, v, last), p[u]);
        }
    } else if (law == LAW_LOGISTIC) {
        vd size[ABREAST];
        vl near[ABREAST], far[ABREAST];
        EACH size[u] = p[u], near[u] = (vl){0} - 1, far[u] = (vl){0};
        minus_log_side64(size, near, n);
        minus_log_side64(p, far, n);
        EACH p[u] = where_negative64(upper[u], size[u] - p[u], p[u] - size[u]);
    } else {
        minus_log_side64(p, upper, n);
        if (law == LAW_GUMBEL) minus_log64(p, n);
    }
}

/* The probability of the nearer tail where lanes need their low words, those of the elements from i, or at `places` where
   they are scattered: rare, hence out of line. */
static __attribute__((noinline)) vf refined32(const struct tile *t, int64_t i, const int64_t *places, vi m, vi upper, vf p) {
    for (int lane = 0; lane < LANES; lane++)
        if (m[lane] < REFINED_BELOW) {
            uint32_t low = low_word(t, places ? places[lane] : i + lane) ^ (uint32_t)upper[lane];
            p[lane] = (float)m[lane] * 0x1p-32f + ((float)low + 0.5f) * 0x1p-64f;
        }
    return p;
}

/* Noise of the elements from i of the tile. */
INLINE void noise32(const struct tile *t, int64_t i, int law, vf *p, const int n) {
    vi upper[ABREAST], m[ABREAST], rare = (vi){0};
    EACH memcpy(&m[u], t->words + i + u * LANES, sizeof m[u]);
    EACH upper[u] = m[u] >> 31;
    EACH m[u] ^= upper[u];
    EACH p[u] = fma32(__builtin_convertvector(m[u], vf), set32(0x1p-32f), set32(0x1p-33f));
    EACH rare |= m[u] - REFINED_BELOW;
    if (__builtin_expect(any_negative32(rare), 0))
        EACH if (any_negative32(m[u] - REFINED_BELOW)) p[u] = refined32(t, i + u * LANES, NULL, m[u], upper[u], p[u]);
    from_tail32(p, upper, law, n);
}
/* Gumbel noise of the elements at `places`. */
INLINE vf gumbel_at32(const struct tile *t, const int64_t *places) {
    vi m;
    for (int lane = 0; lane < LANES; lane++) m[lane] = (int32_t)t->words[places[lane]];
    const vi upper = m >> 31;
    m ^= upper;
    vf p = fma32(__builtin_convertvector(m, vf), set32(0x1p-32f), set32(0x1p-33f));
    if (any_negative32(m - REFINED_BELOW)) p = refined32(t, 0, places, m, upper, p);
    from_tail32(&p, &upper, LAW_GUMBEL, 1);
    return p;
}
/* The same in float64, which needs the low words of all elements in `fine`. */
INLINE void noise64(const struct tile *t, int64_t i, int law, vd *p, const int n) {
    /* An integer below 2^32 in the mantissa of 2^52 is that number plus 2^52. */
    const vl exponent = (vl)set64(0x1p52);
    vl upper[ABREAST];
    EACH {
        vl word, fine;
        for (int lane = 0; lane < LANES / 2; lane++) {
            word[lane] = (int32_t)t->words[i + u * (LANES / 2) + lane];
            fine[lane] = (int64_t)t->fine[i + u * (LANES / 2) + lane];
        }
        upper[u] = word >> 63;
        vd high = (vd)((word ^ upper[u]) | exponent) - 0x1p52;
        vd low = (vd)((fine ^ (upper[u] & 0xFFFFFFFFLL)) | exponent) - 0x1p52;
        p[u] = high * 0x1p-32 + (low + 0.5) * 0x1p-64;
    }
    from_tail64(p, upper, law, n);
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
    vf half = __builtin_convertvector((vi)(word >> 1), vf); /* 2^31 u, but for rounding */
    vf logarithm = __builtin_convertvector((vi)half, vf);
    /* ln 2 (127 + 31), and 1e-4 for all roundings on the way to a score */
    return fma32(logarithm, set32(-0x1.62e43p-24f), set32(109.51725f + 1e-4f));
}
