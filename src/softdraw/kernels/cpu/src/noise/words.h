/* From the counter to 32-bit words, one tile of elements at a time. The layout is that of softdraw/kernels/layout.py. */

/* Elements of a tile: its words, and what is made of them, stay in the first-level cache. */
#define TILE 2048
/* Words are written in whole groups, so up to this many more than asked for. */
#define SPARE (4 * GROUP * ABREAST)
#define FLAG 0x80000000u

struct tile {
    uint64_t key[20];       /* the round keys */
    uint64_t row;           /* the number of the first row, the key's offset included */
    int64_t step;           /* from the number of one row to that of the next */
    int64_t first, across;  /* the first block of each row, and how many of a row are here */
    int64_t blocks;         /* how many in all */
    uint32_t sample;
    uint32_t words[TILE + SPARE], fine[TILE + SPARE]; /* high and low words of the uniforms */
};

static void set_key(struct tile *t, uint64_t seed) {
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        t->key[2 * round] = k0, t->key[2 * round + 1] = k1;
        k0 += 0x9E3779B9u, k1 += 0xBB67AE85u;
    }
}

/* Philox-4x32-10 on ABREAST vectors of counters, one in each 64-bit lane. The lanes' upper halves hold rubbish, which
   the multiplication ignores. Several vectors at once, because each waits long for its own products. */
INLINE void philox(vl *c0, vl *c1, vl *c2, vl *c3, const uint64_t *key) {
    const vl m0 = (vl){0} + 0xD2511F53LL, m1 = (vl){0} + 0xCD9E8D57LL;
    UNROLL for (int round = 0; round < 10; round++) {
        const vl k0 = (vl){0} + (int64_t)key[2 * round], k1 = (vl){0} + (int64_t)key[2 * round + 1];
        UNROLL for (int u = 0; u < ABREAST; u++) {
            vl first = mul_low(c0[u], m0), second = mul_low(c2[u], m1);
            c0[u] = xor3(high_half(second), c1[u], k0);
            c2[u] = xor3(high_half(first), c3[u], k1);
            c1[u] = second;
            c3[u] = first;
        }
    }
}

/* Words of a tile of one row (across == blocks), or of several rows one after the other. */
INLINE void words_of(const struct tile *t, uint32_t flag, uint32_t *words, int one_row) {
    const int order[] = GROUP_ORDER;
    const int64_t across = t->across, step = ABREAST * GROUP, row_step = t->step;
    vl block[ABREAST], row[ABREAST], step_block = (vl){0} + step, step_row = (vl){0};
    int64_t b = 0, r = 0, rows_a_step = 0;
    for (int u = 0; u < ABREAST; u++) {
        int64_t blocks[GROUP], rows[GROUP];
        for (int lane = 0; lane < GROUP; lane++) {
            blocks[lane] = b++, rows[lane] = r;
            if (!one_row && b == across) b = 0, r++;
        }
        for (int lane = 0; lane < GROUP; lane++) {
            block[u][lane] = blocks[order[lane]];
            row[u][lane] = (int64_t)t->row + row_step * rows[order[lane]];
        }
    }
    if (!one_row) {
        rows_a_step = r, step_block = (vl){0} + b, step_row = (vl){0} + rows_a_step * row_step;
    }
    for (int64_t q = 0; q < t->blocks; q += step) {
        vl c0[ABREAST], c1[ABREAST], c2[ABREAST], c3[ABREAST];
        UNROLL for (int u = 0; u < ABREAST; u++) {
            c0[u] = (block[u] + t->first) | (int64_t)flag;
            c1[u] = row[u];
            c2[u] = high_half(row[u]);
            c3[u] = (vl){0} + (int64_t)t->sample;
            block[u] += step_block;
            if (!one_row) {
                vl over = block[u] >= across;
                block[u] -= over & across;
                row[u] += step_row + (over & row_step);
            }
        }
        philox(c0, c1, c2, c3, t->key);
        UNROLL for (int u = 0; u < ABREAST; u++) store_words(words + 4 * (q + u * GROUP), c0[u], c1[u], c2[u], c3[u]);
    }
}

static void make_words(const struct tile *t, uint32_t flag, uint32_t *words) {
    if (t->across == t->blocks) words_of(t, flag, words, 1);
    else words_of(t, flag, words, 0);
}

/* The low word of element i, for the few that need one. */
static __attribute__((noinline)) uint32_t low_word(const struct tile *t, int64_t i) {
    const int64_t q = i >> 2, r = q / t->across;
    const uint64_t row = t->row + (uint64_t)(r * t->step);
    uint32_t c0 = (uint32_t)(t->first + q - r * t->across) | FLAG, c1 = (uint32_t)row, c2 = (uint32_t)(row >> 32);
    uint32_t c3 = t->sample;
    for (int round = 0; round < 10; round++) {
        uint64_t first = (uint64_t)0xD2511F53 * c0, second = (uint64_t)0xCD9E8D57 * c2;
        c0 = (uint32_t)(second >> 32) ^ c1 ^ (uint32_t)t->key[2 * round];
        c2 = (uint32_t)(first >> 32) ^ c3 ^ (uint32_t)t->key[2 * round + 1];
        c1 = (uint32_t)second;
        c3 = (uint32_t)first;
    }
    uint32_t words[4] = {c0, c1, c2, c3};
    return words[i & 3];
}
