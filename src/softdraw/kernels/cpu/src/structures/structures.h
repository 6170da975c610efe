/* One call from Python on structures: what to compute, where the tensors lie, and with which numbers. */
#ifndef SOFTDRAW_STRUCTURES_H
#define SOFTDRAW_STRUCTURES_H

#include <stdint.h>

enum structure_operation {
    ST_TREES,
    ST_SUBSETS,
    ST_SUBSET_DRAWS,
    ST_ENTROPIC,
    ST_ENTROPIC_BACKWARD,
    ST_SINKHORN,
    ST_TREE_DRAWS,
    ST_TREE_CURVATURE,
    ST_SINKHORN_BACKWARD
};

/* All tensors are contiguous float64 (of entropic top-k float32, but for tau, where `most` is 1) with the rows of the batch
   first; absent ones are NULL. What each operation reads and writes stands at its function. */
struct structure {
    int64_t operation;
    int64_t rows, items, size; /* size: k of a subset, columns of a matrix */
    int64_t samples, most;     /* draws for each row; iterations at the most */
    double tolerance;
    const double *logits, *other;
    double *value;             /* one number a row */
    double *out, *more;
};

int softdraw_structures_generic(const void *, int64_t, int64_t);
#if defined(__x86_64__)
int softdraw_structures_avx2(const void *, int64_t, int64_t);
int softdraw_structures_avx512(const void *, int64_t, int64_t);
#endif

#endif
