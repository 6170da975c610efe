/* Loops of a few known rounds, whose work must stand side by side in the registers. */
#ifndef SOFTDRAW_UNROLL_H
#define SOFTDRAW_UNROLL_H

#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* For each of n vectors, n a constant. */
#define EACH UNROLL for (int u = 0; u < n; u++)

#endif
