/* A pool of threads that share the rows of a job. Threads start at the first large job and sleep in between. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "job.h"

#define MOST_THREADS 256
/* Below this many elements a thread takes longer to wake than to help. */
#define ELEMENTS_FOR_A_THREAD 32768
#define ELEMENTS_IN_A_PIECE 32768

static pthread_mutex_t turn = PTHREAD_MUTEX_INITIALIZER; /* held by the caller whose job is running */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static pthread_cond_t begun = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static int started, wanted, working;
static uint64_t generation;
static loops work;
static const struct job *shared;
static int64_t piece, rows_in_all;
static atomic_llong next_row;
static atomic_int failed;

static void take_pieces(void) {
    for (;;) {
        int64_t row = atomic_fetch_add(&next_row, piece);
        if (row >= rows_in_all) return;
        int64_t end = row + piece < rows_in_all ? row + piece : rows_in_all;
        if (work(shared, row, end)) atomic_store(&failed, 1);
    }
}

static void *serve(void *unused) {
    uint64_t seen = 0;
    (void)unused;
    pthread_mutex_lock(&lock);
    for (;;) {
        while (generation == seen || wanted == 0) {
            if (wanted == 0) seen = generation;
            pthread_cond_wait(&begun, &lock);
        }
        seen = generation;
        wanted--;
        working++;
        pthread_mutex_unlock(&lock);
        take_pieces();
        pthread_mutex_lock(&lock);
        if (--working == 0) pthread_cond_signal(&done);
    }
    return NULL;
}

/* A child process has none of its parent's threads, and locks in any state. */
static void after_fork(void) {
    pthread_mutex_t fresh = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t idle = PTHREAD_COND_INITIALIZER;
    turn = lock = fresh;
    begun = done = idle;
    started = wanted = working = 0;
}

static void start(int threads) {
    static int registered;
    pthread_attr_t attributes;
    if (!registered) registered = !pthread_atfork(NULL, NULL, after_fork);
    if (pthread_attr_init(&attributes)) return;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    while (started < threads) {
        pthread_t thread;
        if (pthread_create(&thread, &attributes, serve, NULL)) break;
        started++;
    }
    pthread_attr_destroy(&attributes);
}

int softdraw_share(loops run, const struct job *job, int64_t threads) {
    int64_t rows = job->samples * job->rows, helpers = rows * job->classes / ELEMENTS_FOR_A_THREAD;
    if (threads > MOST_THREADS) threads = MOST_THREADS;
    if (helpers > threads) helpers = threads;
    if (helpers > rows) helpers = rows;
    helpers--;
    /* Two callers at a time: the second works alone rather than wait. */
    if (helpers < 1 || pthread_mutex_trylock(&turn)) return run(job, 0, rows);
    pthread_mutex_lock(&lock);
    if (started < helpers) start((int)helpers);
    piece = ELEMENTS_IN_A_PIECE / job->classes;
    if (piece < 1) piece = 1;
    work = run;
    shared = job;
    rows_in_all = rows;
    atomic_store(&next_row, 0);
    atomic_store(&failed, 0);
    wanted = (int)helpers < started ? (int)helpers : started;
    generation++;
    pthread_cond_broadcast(&begun);
    pthread_mutex_unlock(&lock);
    take_pieces();
    pthread_mutex_lock(&lock);
    wanted = 0;
    while (working) pthread_cond_wait(&done, &lock);
    pthread_mutex_unlock(&lock);
    pthread_mutex_unlock(&turn);
    return atomic_load(&failed) ? -1 : 0;
}
