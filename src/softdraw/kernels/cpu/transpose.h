/* Template for each REAL (dtypes.h): N vectors of N lanes, rows made columns in place. */

#if N == 2
#define EVERY_LANE(f) f(0), f(1)
#elif N == 4
#define EVERY_LANE(f) f(0), f(1), f(2), f(3)
#elif N == 8
#define EVERY_LANE(f) f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7)
#else
#define EVERY_LANE(f) \
    f(0), f(1), f(2), f(3), f(4), f(5), f(6), f(7), f(8), f(9), f(10), f(11), f(12), f(13), f(14), f(15)
#endif

/* Exchange the lanes of two rows that are `half` apart: constants, or the compiler would make them at run time. */
#define LOW(lane) ((lane) & half ? N + ((lane) ^ half) : (lane))
#define HIGH(lane) ((lane) & half ? N + (lane) : (lane) ^ half)
INLINE void R(exchange)(V *a, V *b, const int half) {
#if defined(__clang__)
    V x, y;
    for (int lane = 0; lane < N; lane++) {
        x[lane] = LOW(lane) < N ? (*a)[LOW(lane) % N] : (*b)[LOW(lane) % N];
        y[lane] = HIGH(lane) < N ? (*a)[HIGH(lane) % N] : (*b)[HIGH(lane) % N];
    }
#else
    V x = __builtin_shuffle(*a, *b, (VI){EVERY_LANE(LOW)}), y = __builtin_shuffle(*a, *b, (VI){EVERY_LANE(HIGH)});
#endif
    *a = x, *b = y;
}
#undef LOW
#undef HIGH
#undef EVERY_LANE

INLINE void R(transpose)(V *rows) {
#pragma GCC unroll 16
    for (int half = 1; half < N; half *= 2)
#pragma GCC unroll 16
        for (int i = 0; i < N; i++)
            if (!(i & half)) R(exchange)(rows + i, rows + (i | half), half);
}
