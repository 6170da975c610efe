/* Locks, signals and threads: Windows' own where it is Windows, POSIX elsewhere. Nobody waits for a thread to end. */
#ifndef SOFTDRAW_THREADS_H
#define SOFTDRAW_THREADS_H

#if defined(_WIN32)
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

typedef SRWLOCK thread_lock;
typedef CONDITION_VARIABLE thread_signal;
#define FREE_LOCK SRWLOCK_INIT
#define QUIET_SIGNAL CONDITION_VARIABLE_INIT
#define THREAD_BODY(name) static DWORD WINAPI name(LPVOID unused)
#define THREAD_END 0

static inline void take_lock(thread_lock *lock) { AcquireSRWLockExclusive(lock); }
static inline int try_lock(thread_lock *lock) { return TryAcquireSRWLockExclusive(lock); }
static inline void release_lock(thread_lock *lock) { ReleaseSRWLockExclusive(lock); }
static inline void wait_for(thread_signal *signal, thread_lock *lock) { SleepConditionVariableSRW(signal, lock, INFINITE, 0); }
static inline void wake_one(thread_signal *signal) { WakeConditionVariable(signal); }
static inline void wake_all(thread_signal *signal) { WakeAllConditionVariable(signal); }
static inline int start_thread(LPTHREAD_START_ROUTINE body) {
    HANDLE thread = CreateThread(NULL, 0, body, NULL, 0, NULL);
    return thread && CloseHandle(thread);
}
/* There is no fork. */
#define WHEN_FORKED(function) ((void)(function), 1)
#else
#include <pthread.h>

typedef pthread_mutex_t thread_lock;
typedef pthread_cond_t thread_signal;
#define FREE_LOCK PTHREAD_MUTEX_INITIALIZER
#define QUIET_SIGNAL PTHREAD_COND_INITIALIZER
#define THREAD_BODY(name) static void *name(void *unused)
#define THREAD_END NULL

static inline void take_lock(thread_lock *lock) { pthread_mutex_lock(lock); }
static inline int try_lock(thread_lock *lock) { return !pthread_mutex_trylock(lock); }
static inline void release_lock(thread_lock *lock) { pthread_mutex_unlock(lock); }
static inline void wait_for(thread_signal *signal, thread_lock *lock) { pthread_cond_wait(signal, lock); }
static inline void wake_one(thread_signal *signal) { pthread_cond_signal(signal); }
static inline void wake_all(thread_signal *signal) { pthread_cond_broadcast(signal); }
static inline int start_thread(void *(*body)(void *)) {
    pthread_t thread;
    return !pthread_create(&thread, NULL, body, NULL) && !pthread_detach(thread);
}
#define WHEN_FORKED(function) (!pthread_atfork(NULL, NULL, function))
#endif

#endif
