/* One call from Python: what to compute, where the tensors lie, and with which numbers. */
#ifndef SOFTDRAW_JOB_H
#define SOFTDRAW_JOB_H

#include <stdint.h>

enum operation { OP_NOISE, OP_INDEX, OP_SOFT, OP_HARD, OP_SOFT_BACKWARD, OP_HARD_BACKWARD };
enum law { LAW_GUMBEL, LAW_LOGISTIC, LAW_EXPONENTIAL, LAW_UNIFORM };
enum dtype { DT_FLOAT32, DT_FLOAT64, DT_BFLOAT16, DT_FLOAT16 };

/* All tensors are contiguous [samples, rows, classes] or [rows, classes]; absent ones are NULL. */
struct job {
    int64_t operation, law, dtype;
    char *out;            /* samples, noise or gradient, in dtype */
    int64_t *index;       /* int64 [samples, rows] */
    const char *grad;     /* upstream gradient, in dtype */
    const char *logits;   /* logits, or for OP_SOFT_BACKWARD the soft sample */
    const uint8_t *mask;  /* one byte an element */
    int64_t mask_stride;  /* bytes from row to row: classes, or 0 for one mask of all rows */
    int64_t samples, rows, classes;
    double tau;
    const char *row_tau;  /* one number a row, in the dtype that is computed in, or NULL for tau */
    uint64_t seed, offset;
};

/* Work on rows [begin, end) of the samples * rows. Returns 0, or -1 without memory for scratch. */
typedef int (*loops)(const struct job *, int64_t begin, int64_t end);

int softdraw_loops_generic(const struct job *, int64_t, int64_t);
#if defined(__x86_64__)
int softdraw_loops_avx2(const struct job *, int64_t, int64_t);
int softdraw_loops_avx512(const struct job *, int64_t, int64_t);
#endif

/* How GNU OpenMP starts a team of threads: GOMP_parallel(function, argument, threads, flags). */
typedef void (*softdraw_team)(void (*)(void *), void *, unsigned, unsigned);
/* Once at the start: the team to work with, or NULL for threads of our own. */
void softdraw_threads(softdraw_team);
/* Share the rows of a job between threads. */
int softdraw_share(loops, const struct job *, int64_t threads);

#endif
