/* Threads that share the rows of a job. They are those of torch's OpenMP where it has one: its threads spin for a while
   after each operation, and threads of our own would have to compete with them for the cores. Elsewhere, and in a
   forked process, which has none of its parent's threads, a pool of our own starts at the first large job. */
#include <stdatomic.h>
#include <stdint.h>

#include "job.h"
#include "threads.h"

#define MOST_THREADS 256
/* Below this many elements a thread takes longer to wake than to help. */
#define ELEMENTS_FOR_A_THREAD 32768
#define ELEMENTS_IN_A_PIECE 32768

struct share {
    softdraw_work work;
    const void *job;
    int64_t piece, rows;
    atomic_llong next_row;
    atomic_int failed;
};

static void take_pieces(void *argument) {
    struct share *share = argument;
    for (;;) {
        int64_t row = atomic_fetch_add(&share->next_row, share->piece);
        if (row >= share->rows) return;
        int64_t end = row + share->piece < share->rows ? row + share->piece : share->rows;
        if (share->work(share->job, row, end)) atomic_store(&share->failed, 1);
    }
}

static softdraw_team team;
static thread_lock turn = FREE_LOCK; /* held by the caller whose job our own pool runs */
static thread_lock lock = FREE_LOCK; /* guards what follows */
static thread_signal begun = QUIET_SIGNAL, done = QUIET_SIGNAL;
static int started, wanted, working;
static uint64_t generation;
static struct share *shared;

THREAD_BODY(serve) {
    uint64_t seen = 0;
    (void)unused;
    take_lock(&lock);
    for (;;) {
        while (generation == seen || wanted == 0) {
            if (wanted == 0) seen = generation;
            wait_for(&begun, &lock);
        }
        seen = generation;
        wanted--;
        working++;
        release_lock(&lock);
        take_pieces(shared);
        take_lock(&lock);
        if (--working == 0) wake_one(&done);
    }
    return THREAD_END;
}

/* A child process has none of its parent's threads, and locks in any state. */
static void after_fork(void) {
    thread_lock fresh = FREE_LOCK;
    thread_signal idle = QUIET_SIGNAL;
    turn = lock = fresh;
    begun = done = idle;
    started = wanted = working = 0;
    team = NULL;
}

void softdraw_threads(softdraw_team given) {
    static int registered;
    if (!registered) registered = WHEN_FORKED(after_fork);
    team = given;
}

static void start(int threads) {
    while (started < threads && start_thread(serve)) started++;
}

static void share_in_pool(struct share *share, int helpers) {
    take_lock(&lock);
    if (started < helpers) start(helpers);
    shared = share;
    wanted = helpers < started ? helpers : started;
    generation++;
    wake_all(&begun);
    release_lock(&lock);
    take_pieces(share);
    take_lock(&lock);
    wanted = 0;
    while (working) wait_for(&done, &lock);
    release_lock(&lock);
}

int softdraw_divide(softdraw_work work, const void *job, int64_t rows, int64_t piece, int64_t helpers, int64_t threads) {
    struct share share = {work, job, piece > 1 ? piece : 1, rows, 0, 0};
    if (helpers > threads) helpers = threads;
    if (helpers > MOST_THREADS) helpers = MOST_THREADS;
    if (helpers > rows) helpers = rows;
    helpers--;
    if (helpers < 1) return work(job, 0, rows);
    /* All threads, as torch starts them: a team of another size would end some and have to make them again. */
    if (team) team(take_pieces, &share, (unsigned)threads, 0);
    else {
        /* Two callers at a time: the second works alone rather than wait. */
        if (!try_lock(&turn)) return work(job, 0, rows);
        share_in_pool(&share, (int)helpers);
        release_lock(&turn);
    }
    return atomic_load(&share.failed) ? -1 : 0;
}

int softdraw_share(softdraw_work work, const struct job *job, int64_t threads) {
    const int64_t rows = job->samples * job->rows;
    int64_t piece = ELEMENTS_IN_A_PIECE / (job->classes * job->draws), least = 512 / job->classes;
    if (piece < least) piece = least; /* rows of few classes are worked on together */
    return softdraw_divide(work, job, rows, piece, rows * job->classes * job->draws / ELEMENTS_FOR_A_THREAD, threads);
}

struct blocks {
    softdraw_work work;
    const struct job *job;
    const int64_t *sizes;
    int64_t count;
};

/* As many rows at a time as the caches hold, block after block; a multiple of every vector's lanes. */
#define ELEMENTS_IN_A_ROUND 8192
#define FEWEST_ROWS_IN_A_ROUND 64

static int work_on_blocks(const void *argument, int64_t begin, int64_t end) {
    static const int64_t widths[] = {4, 8, 2, 2};
    const struct blocks *blocks = argument;
    const struct job *whole = blocks->job;
    const int64_t width = widths[whole->dtype], real = whole->dtype == DT_FLOAT64 ? 8 : 4;
    int64_t round = ELEMENTS_IN_A_ROUND / whole->stride / 16 * 16;
    round = round < FEWEST_ROWS_IN_A_ROUND ? FEWEST_ROWS_IN_A_ROUND : round;
    for (; begin < end; begin += round) {
        const int64_t last = end - begin < round ? end : begin + round;
        int64_t start = 0;
        for (int64_t b = 0; b < blocks->count; start += blocks->sizes[b++]) {
            struct job one = *whole;
            one.classes = blocks->sizes[b], one.step = blocks->count, one.offset += (uint64_t)b;
            one.logits += start * width;
            if (one.out) one.out += start * width;
            if (one.grad) one.grad += start * width;
            if (one.mask) one.mask += start;
            if (one.row_tau) one.row_tau += b * real;
            if (one.index) one.index += b;
            if (blocks->work(&one, begin, last)) return -1;
        }
    }
    return 0;
}

int softdraw_share_blocks(softdraw_work work, const struct job *job, const int64_t *sizes, int64_t count, int64_t threads) {
    const struct blocks blocks = {work, job, sizes, count};
    const int64_t rows = job->samples * job->rows, piece = ELEMENTS_IN_A_PIECE / job->classes;
    return softdraw_divide(work_on_blocks, &blocks, rows, piece > 16 ? piece / 16 * 16 : 16,
                           rows * job->classes / ELEMENTS_FOR_A_THREAD, threads);
}
