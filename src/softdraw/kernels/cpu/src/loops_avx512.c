/* The loops for AVX-512; chosen at run time. */
#if defined(__x86_64__)
#include <immintrin.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,f16c")
#endif
#include "vectors/avx512.h"
#include "loops.h"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#else
typedef int softdraw_no_avx512;
#endif
