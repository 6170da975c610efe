/* One instruction set's loops: included once by each loops_*.c after its vectors. */
#include "job.h"

#include "elementary.h"
#include "words.h"
#include "noise.h"

#define HALVES 1
#define REAL float
#define V vf
#define VI vi
#define N LANES
#define F(x) x##32
#define INFINITE __builtin_inff()
#define LARGEST 3.402823466e+38f
#define SMALLEST 1.175494351e-38f
#define INFINITE_BITS 0x7F800000
#define SIGN_OFF 0x7FFFFFFF
#include "elements.h"
#include "rows.h"
#undef HALVES
#undef REAL
#undef V
#undef VI
#undef N
#undef F
#undef INFINITE
#undef LARGEST
#undef SMALLEST
#undef INFINITE_BITS
#undef SIGN_OFF

#define REAL double
#define V vd
#define VI vl
#define N (LANES / 2)
#define F(x) x##64
#define INFINITE __builtin_inf()
#define LARGEST 1.7976931348623157e+308
#define SMALLEST 2.2250738585072014e-308
#define INFINITE_BITS 0x7FF0000000000000LL
#define SIGN_OFF 0x7FFFFFFFFFFFFFFFLL
#include "elements.h"
#include "rows.h"

int NAME(softdraw_loops)(const struct job *job, int64_t begin, int64_t end) {
    switch (job->dtype) {
    case DT_FLOAT32: return run32(job, begin, end, DT_FLOAT32);
    case DT_FLOAT64: return run64(job, begin, end, DT_FLOAT64);
    case DT_BFLOAT16: return run32(job, begin, end, DT_BFLOAT16);
    default: return run32(job, begin, end, DT_FLOAT16);
    }
}
