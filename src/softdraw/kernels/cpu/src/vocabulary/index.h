/* One call from Python on a tile of a vocabulary's logits, for its draws of an index: what to compute, where the tensors lie,
   and with which numbers. */
#ifndef SOFTDRAW_VOCABULARY_INDEX_H
#define SOFTDRAW_VOCABULARY_INDEX_H

#include <stdint.h>

enum index_operation { IX_DRAW, IX_GRADIENT };

/* Tensors are float32, or float64 where `wide`; absent ones are NULL. The tile is contiguous [rows, classes]; `top` and what
   is [rows] begin at its first row, what is [samples, rows of all tiles] does, too, and has `all_rows` from sample to sample. */
struct vocabulary_index {
    int64_t operation, wide;
    int64_t rows, classes, samples;
    int64_t all_rows;
    int64_t class_start;  /* the number of the tile's first class */
    uint64_t seed, offset;
    char *tile;           /* products of hidden states and weights; a draw makes logits of them, a gradient its tile */
    const char *bias;     /* [classes] */
    const uint8_t *mask;  /* one byte an element, from the tile's first class on */
    int64_t mask_stride;  /* bytes from row to row, 0 for one mask of all rows */
    const char *rate;     /* [rows]: 1 / tau */
    char *top;            /* [rows]: the largest logit so far; NaN for a row with NaN or +inf */
    char *best, *chosen;  /* [samples, rows]: the winner's score less `top`, and its logit */
    int64_t *index;       /* [samples, rows]: the winner so far, -1 for none */
    double *sums;         /* [rows, 2] or NULL: the sum of exp(logit - top), and of that times (logit - top) */
    /* of a gradient */
    const char *log_total, *mean; /* [rows]: log of the first sum, and the second divided by the first */
    const char *total, *spread;   /* [rows]: the gradients of all log probabilities together, and that of the entropy */
    const char *picked;   /* [samples, rows]: the gradient of each log probability */
    double *tau_grad;     /* [rows] or NULL: what is added up for the gradient of tau */
};

int softdraw_index_generic(const void *, int64_t, int64_t);
#if defined(__x86_64__)
int softdraw_index_avx2(const void *, int64_t, int64_t);
int softdraw_index_avx512(const void *, int64_t, int64_t);
#endif

#endif
