/* One call from Python: what to compute, where the tensors lie, and with which numbers. */
#ifndef SOFTDRAW_JOB_H
#define SOFTDRAW_JOB_H

#include <stdint.h>

enum operation {
    OP_NOISE,
    OP_INDEX,
    OP_SOFT,
    OP_HARD,
    OP_SOFT_BACKWARD,
    OP_HARD_BACKWARD,
    OP_REINMAX_BACKWARD,
    OP_RAO_BACKWARD,
    OP_TOP_K
};
/* What Python hands over, counted: raised with every change of it, here and in ../__init__.py. */
#define SOFTDRAW_INTERFACE 2
/* The most classes that OP_TOP_K keeps in order. */
#define MOST_TOP 256
enum law { LAW_GUMBEL, LAW_LOGISTIC, LAW_EXPONENTIAL, LAW_UNIFORM };
enum dtype { DT_FLOAT32, DT_FLOAT64, DT_BFLOAT16, DT_FLOAT16 };

/* All tensors are [samples, rows, classes] or [rows, classes]; absent ones are NULL. They are contiguous (stride is classes,
   step 1) but where a job is one of several blocks of unequal sizes, see softdraw_blocks. */
struct job {
    int64_t operation, dtype;
    int64_t law;          /* of the noise; for OP_RAO_BACKWARD 0 is Gumbel-Rao, 1 ReinMax-Rao */
    char *out;            /* samples, noise or gradient, in dtype */
    int64_t *index;       /* int64 [samples, rows]; the backwards read it; of OP_TOP_K [samples, rows, draws] */
    const char *grad;     /* upstream gradient, in dtype */
    const char *logits;   /* logits, or for OP_SOFT_BACKWARD the soft sample */
    const uint8_t *mask;  /* one byte an element */
    int64_t mask_stride;  /* bytes from row to row: classes, or 0 for one mask of all rows */
    int64_t samples, rows, classes;
    int64_t class_start;  /* of OP_NOISE: the number of the first class; 0 elsewhere */
    int64_t stride;       /* elements of out, grad and logits from row to row */
    int64_t step;         /* numbers of row_tau and index, and counts of the key, from row to row */
    double tau;
    const char *row_tau;  /* one number a row, in the dtype that is computed in, or NULL for tau */
    uint64_t seed, offset;
    int64_t draws, group; /* of OP_RAO_BACKWARD: K, and how many draws share a key; of OP_TOP_K: k; 1 elsewhere */
};

/* The seed of sub-stream `data`, as softdraw.kernels.hashing.fold has it. */
static inline uint64_t softdraw_mix(uint64_t word) {
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}
static inline uint64_t softdraw_fold(uint64_t seed, uint64_t data) {
    const uint64_t golden = 0x9E3779B97F4A7C15u;
    return softdraw_mix(softdraw_mix(seed + golden) + data * golden + golden);
}

/* Work on rows [begin, end) of a job; for a `struct job` they are the samples * rows. Returns 0, or -1 without memory for
   scratch. */
typedef int (*softdraw_work)(const void *job, int64_t begin, int64_t end);

int softdraw_loops_generic(const void *, int64_t, int64_t);
#if defined(__x86_64__)
int softdraw_loops_avx2(const void *, int64_t, int64_t);
int softdraw_loops_avx512(const void *, int64_t, int64_t);
#endif

/* How GNU OpenMP starts a team of threads: GOMP_parallel(function, argument, threads, flags). */
typedef void (*softdraw_team)(void (*)(void *), void *, unsigned, unsigned);
/* Once at the start: the team to work with, or NULL for threads of our own. */
void softdraw_threads(softdraw_team);
/* Share the rows of a job between threads. */
int softdraw_share(softdraw_work, const struct job *, int64_t threads);
/* The same for rows that are `count` blocks of these sizes, one after the other, each with a softmax of its own: block b
   of row r is row `r * count + b` of the key, of row_tau and of index. The sum of the sizes is the job's classes. */
int softdraw_share_blocks(softdraw_work, const struct job *, const int64_t *sizes, int64_t count, int64_t threads);
/* The same for any job: `piece` rows at a time, by as many threads as `helpers` says that it is worth. */
int softdraw_divide(softdraw_work, const void *job, int64_t rows, int64_t piece, int64_t helpers, int64_t threads);

#endif
