/* What the processor that runs this can do. */
#ifndef SOFTDRAW_PROCESSOR_H
#define SOFTDRAW_PROCESSOR_H

enum instruction_set { IS_GENERIC, IS_AVX2, IS_AVX512 };

#if defined(__x86_64__) && (defined(_WIN32) || defined(SOFTDRAW_CPUID))
/* The compilers' __builtin_cpu_supports needs a library that Microsoft's linker does not know. A register of the
   processor says which it has, and another which of them the system saves when it switches between threads. */
#include <cpuid.h>

static inline enum instruction_set best_instructions(void) {
    const unsigned osxsave = 1u << 27, avx = 1u << 28, fma = 1u << 12, f16c = 1u << 29;
    const unsigned avx2 = 1u << 5, avx512 = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
    const unsigned ymm = 0x6, zmm = 0xE6, needed = osxsave | avx | fma | f16c;
    unsigned a, b, c, d, saved, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || (c & needed) != needed) return IS_GENERIC;
    __asm__("xgetbv" : "=a"(saved), "=d"(high) : "c"(0));
    if ((saved & ymm) != ymm || !__get_cpuid_count(7, 0, &a, &b, &c, &d) || !(b & avx2)) return IS_GENERIC;
    return (saved & zmm) == zmm && (b & avx512) == avx512 ? IS_AVX512 : IS_AVX2;
}
#elif defined(__x86_64__)
static inline enum instruction_set best_instructions(void) {
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return IS_GENERIC;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
                   __builtin_cpu_supports("avx512vl") ? IS_AVX512 : IS_AVX2;
}
#else
static inline enum instruction_set best_instructions(void) { return IS_GENERIC; }
#endif

#endif
