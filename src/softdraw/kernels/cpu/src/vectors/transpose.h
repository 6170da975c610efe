/* Template for each REAL (rows/dtypes.h): N vectors of N lanes, rows made columns in place. */

#if N == 2
#define EVERY_LANE(f, half) f(0, half), f(1, half)
#elif N == 4
#define EVERY_LANE(f, half) f(0, half), f(1, half), f(2, half), f(3, half)
#elif N == 8
#define EVERY_LANE(f, half) \
    f(0, half), f(1, half), f(2, half), f(3, half), f(4, half), f(5, half), f(6, half), f(7, half)
#else
#define EVERY_LANE(f, half)                                                                            \
    f(0, half), f(1, half), f(2, half), f(3, half), f(4, half), f(5, half), f(6, half), f(7, half),    \
        f(8, half), f(9, half), f(10, half), f(11, half), f(12, half), f(13, half), f(14, half), f(15, half)
#endif
#if defined(__clang__)
#define SHUFFLE(a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (VI){__VA_ARGS__})
#endif

/* Exchange the lanes of two rows that are `half` apart. The lanes are spelled out, or the compiler would work them out
   at run time. */
#define LOW(lane, half) ((lane) & (half) ? N + ((lane) ^ (half)) : (lane))
#define HIGH(lane, half) ((lane) & (half) ? N + (lane) : ((lane) ^ (half)) % N)
#define EXCHANGE(half) \
    x = SHUFFLE(*a, *b, EVERY_LANE(LOW, half)), y = SHUFFLE(*a, *b, EVERY_LANE(HIGH, half))
INLINE void R(exchange)(V *a, V *b, const int half) {
    V x, y;
    if (half == 1) EXCHANGE(1);
    else if (half == 2) EXCHANGE(2);
    else if (half == 4) EXCHANGE(4);
    else EXCHANGE(8);
    *a = x, *b = y;
}
#undef EXCHANGE
#undef HIGH
#undef LOW
#undef SHUFFLE
#undef EVERY_LANE

INLINE void R(transpose)(V *rows) {
    UNROLL for (int half = 1; half < N; half *= 2)
        UNROLL for (int i = 0; i < N; i++)
            if (!(i & half)) R(exchange)(rows + i, rows + (i | half), half);
}
