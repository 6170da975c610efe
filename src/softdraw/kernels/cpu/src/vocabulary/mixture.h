/* One call from Python on a tile of a vocabulary's logits: what to compute, where the tensors lie, and with which numbers. */
#ifndef SOFTDRAW_MIXTURE_H
#define SOFTDRAW_MIXTURE_H

#include <stdint.h>

enum mixture_operation { MX_FORWARD, MX_BACKWARD };

/* What a call does, as bits of `flags`. */
#define MX_DOUBLE 1  /* the tile is float64, else float32 */
#define MX_NOISY 2   /* the weights are those of the perturbed logits, else of the logits themselves */
#define MX_FIRST 4   /* the first tile of its rows: their base is to be found */
#define MX_ENTROPY 8 /* the entropy of the weights is wanted, too */
#define MX_REINMAX 16 /* the gradient is ReinMax's */
#define MX_SECOND 32 /* it has a second softmax, at temperature 1 */
#define MX_QUIET 128 /* the winner is that of the logits without noise */
#define MX_WEIGHTS 64 /* the backward's probabilities are wanted, too */

/* What is known of a row, float64 each; `softdraw.kernels.vocabulary.mixture` says what they mean. */
enum mixture_state { MX_BASE, MX_BEST, MX_TOP, MX_TOTAL, MX_TOTAL_AT_ONE, MX_WEIGHTED, MX_COUNT, MX_BAD, MX_STATES };

/* Tensors of a tile are contiguous [rows, classes] in the dtype that is computed in; absent ones are NULL. */
struct mixture {
    int64_t operation, flags;
    int64_t rows, classes;
    int64_t class_start;  /* the number of the tile's first class */
    char *values;         /* logits; forward they become weights, backward the gradient of the logits */
    char *other;          /* forward the weights of the second softmax; backward g (the gradient of each class), which becomes
                             probabilities where they are wanted */
    const char *bias;     /* [classes] or NULL */
    const uint8_t *mask;  /* one byte an element, from the tile's first class on */
    int64_t mask_stride;  /* bytes from row to row, 0 for one mask of all rows */
    const double *tau;    /* [rows] */
    double *state;        /* [rows, MX_STATES] */
    int64_t *index;       /* [rows]: the winner so far, -1 for none */
    char *factor;         /* forward, [rows, 2]: what sums of earlier tiles are to be multiplied by */
    const double *means;  /* backward, [rows, 3]: the means of g under the first and the second softmax, and the winner's g */
    double *tau_grad;     /* backward, [rows] or NULL: what the tile adds to the gradient of tau */
    uint64_t seed, offset;
};

int softdraw_mixture_generic(const void *, int64_t, int64_t);
#if defined(__x86_64__)
int softdraw_mixture_avx2(const void *, int64_t, int64_t);
int softdraw_mixture_avx512(const void *, int64_t, int64_t);
#endif

#endif
