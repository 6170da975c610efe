/* From the counter to noise, one tile of elements at a time. The layout is that of softdraw/kernels/layout.py. */

/* Elements of a tile: its words, counters and noise stay in the first-level cache. */
#define TILE 2048
#define FLAG 0x80000000u
#define REFINED_BELOW 65536

struct tile {
    uint32_t key[20];                                           /* the round keys */
    uint32_t block[TILE / 4 + 16], low[TILE / 4 + 16], high[TILE / 4 + 16]; /* the counters */
    uint32_t sample;
    int64_t blocks;                                             /* how many of them */
    uint32_t words[TILE + 64], fine[TILE + 64];                 /* high and low words of the uniforms */
};

static void set_key(struct tile *t, uint64_t seed) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        t->key[2 * round] = k0, t->key[2 * round + 1] = k1;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

/* Counters of blocks [first, first + count) of each of the rows [row, row + rows). */
static void set_counters(struct tile *t, uint64_t row, int64_t rows, int64_t first, int64_t count, uint32_t sample) {
    int64_t q = 0;
    for (int64_t r = 0; r < rows; r++) {
        uint32_t low = (uint32_t)(row + (uint64_t)r), high = (uint32_t)((row + (uint64_t)r) >> 32);
        for (int64_t b = 0; b < count; b++, q++) {
            t->block[q] = (uint32_t)(first + b);
            t->low[q] = low;
            t->high[q] = high;
        }
    }
    t->blocks = q;
    t->sample = sample;
    for (int i = 0; i < 16; i++) t->block[q + i] = t->low[q + i] = t->high[q + i] = 0;
}

static void make_words(struct tile *t, uint32_t flag, uint32_t *words) {
    for (int64_t q = 0; q < t->blocks; q += GROUP)
        philox_group(t->block + q, t->low + q, t->high + q, t->sample, flag, t->key, words + 4 * q);
}

/* The low word of element i, for the few that need one. */
static uint32_t low_word(const struct tile *t, int64_t i) {
    uint32_t c0 = t->block[i >> 2] | FLAG, c1 = t->low[i >> 2], c2 = t->high[i >> 2], c3 = t->sample;
    for (int round = 0; round < 10; round++) {
        uint64_t first = (uint64_t)0xD2511F53 * c0, second = (uint64_t)0xCD9E8D57 * c2;
        c0 = (uint32_t)(second >> 32) ^ c1 ^ t->key[2 * round];
        c2 = (uint32_t)(first >> 32) ^ c3 ^ t->key[2 * round + 1];
        c1 = (uint32_t)second;
        c3 = (uint32_t)first;
    }
    uint32_t words[4] = {c0, c1, c2, c3};
    return words[i & 3];
}

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

/* Noise of all elements of the tile, four to a block; writes up to 63 elements more. */
INLINE void noise32(struct tile *t, float *out, int law) {
    make_words(t, 0, t->words);
    for (int64_t i = 0; i < 4 * t->blocks; i += 4 * LANES) {
        vi upper[4], m[4], least;
        vf p[4];
        for (int v = 0; v < 4; v++) {
            vi word;
            memcpy(&word, t->words + i + v * LANES, sizeof word);
            upper[v] = word >> 31;
            m[v] = word ^ upper[v];
            p[v] = fma32(__builtin_convertvector(m[v], vf), set32(0x1p-32f), set32(0x1p-33f));
        }
        least = (m[0] - REFINED_BELOW) | (m[1] - REFINED_BELOW) | (m[2] - REFINED_BELOW) | (m[3] - REFINED_BELOW);
        if (__builtin_expect(any_negative32(least), 0))
            for (int j = 0; j < 4 * LANES; j++) {
                int v = j / LANES, lane = j % LANES;
                if (m[v][lane] < REFINED_BELOW) {
                    uint32_t low = low_word(t, i + j) ^ (uint32_t)upper[v][lane];
                    p[v][lane] = (float)m[v][lane] * 0x1p-32f + ((float)low + 0.5f) * 0x1p-64f;
                }
            }
        for (int v = 0; v < 4; v++) {
            p[v] = from_tail32(p[v], upper[v], law);
            memcpy(out + i + v * LANES, &p[v], sizeof p[v]);
        }
    }
}
INLINE void noise64(struct tile *t, double *out, int law) {
    make_words(t, 0, t->words);
    make_words(t, FLAG, t->fine);
    /* An integer below 2^32 in the mantissa of 2^52 is that number plus 2^52. */
    const vl exponent = (vl)set64(0x1p52);
    for (int64_t i = 0; i < 4 * t->blocks; i += LANES / 2) {
        vl word, fine, upper;
        for (int lane = 0; lane < LANES / 2; lane++) {
            word[lane] = (int32_t)t->words[i + lane];
            fine[lane] = (int64_t)t->fine[i + lane];
        }
        upper = word >> 63;
        vd m = (vd)((word ^ upper) | exponent) - 0x1p52;
        vd n = (vd)((fine ^ (upper & 0xFFFFFFFFLL)) | exponent) - 0x1p52;
        vd p = from_tail64(m * 0x1p-32 + (n + 0.5) * 0x1p-64, upper, law);
        memcpy(out + i, &p, sizeof p);
    }
}
