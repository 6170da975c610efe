/* One instruction set's loops: included once by each loops_*.c after its vectors. */
#include "job.h"
#include "vocabulary/index.h"
#include "vocabulary/mixture.h"

#include "vectors/elementary.h"
#include "noise/words.h"
#include "noise/noise.h"

/* NaN must not be rounded into infinity. */
INLINE void to_bfloat(uint16_t *to, vf x) {
    const vi bits = (vi)x, even = (bits >> 16) & 1, rounded = (bits + 0x7FFF + even) >> 16;
    const vf size = (vf)(bits & 0x7FFFFFFF), largest = set32(__builtin_inff());
    narrow16(to, where_less_int32(-largest, size, rounded, (vi){0} + 0x7FC0) & 0xFFFF);
}

#include "rows/dtypes.h"

int NAME(softdraw_loops)(const void *argument, int64_t begin, int64_t end) {
    const struct job *job = argument;
    switch (job->dtype) {
    case DT_FLOAT32: return run_f32(job, begin, end);
    case DT_FLOAT64: return run_f64(job, begin, end);
    case DT_BFLOAT16: return run_bf16(job, begin, end);
    default: return run_f16(job, begin, end);
    }
}

int NAME(softdraw_index)(const void *argument, int64_t begin, int64_t end) {
    const struct vocabulary_index *v = argument;
    return v->wide ? index_rows_f64(v, begin, end) : index_rows_f32(v, begin, end);
}

int NAME(softdraw_mixture)(const void *argument, int64_t begin, int64_t end) {
    const struct mixture *m = argument;
    return m->flags & MX_DOUBLE ? mixture_rows_f64(m, begin, end) : mixture_rows_f32(m, begin, end);
}

#include "structures/loops.h"
