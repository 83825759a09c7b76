/* Lets threads claim tasks and wait for each other.

   Loops are numbered from 1 in every run.  For each thread there is a range: one word that holds the number
   of a loop, the first task that is left of it, and the end.  A word with the number of an earlier loop
   stands for the thread's whole share of the present one, of which nobody has claimed anything yet.

   The thread itself claims the first task of its range, by a compare-and-swap of the word.  When its range
   is empty, it takes the last half of the longest range there is and makes that its own.  The thread with the
   longest range is the one that parallel.h calls the slowest: it has the most left to do.

   A thread that finds nothing left adds the number of tasks that it has run to the run's sum.  The thread
   that completes the sum of all tasks of the loops so far has finished the loop.  It publishes the loop's
   number, on which the others wait.  A thread that comes late, having slept through some loops, sees this
   number, or a later one in a range, and goes on.  It needs nothing from the loops that it has missed.

   A thread waits by looking at the number for a while; then it sleeps.

   The operations on ranges are relaxed, because a range only divides the tasks and hands over no data.  What
   the tasks write becomes visible by the sum and the number: every thread adds to the sum with acquire and
   release, and the others acquire the number before they begin the next loop. */
#include "layer/parallel.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include "base/memory.h"
#if HAVE_OPENMP
#include <omp.h>
#endif

/* A range holds the loop's number in 24 bits, the first task in 20 and the end in 20.  Tasks are counted in
   units of the loop's grain. */
enum { TASK_BITS = 20, LOOP_BITS = 24, TASKS_MOST = (1 << TASK_BITS) - 1 };

/* A thread looks for SPIN_NANOSECONDS before it sleeps, and LOOKS times between two readings of the clock;
   see bench/decisions.md. */
enum { SPIN_NANOSECONDS = 20000, LOOKS = 16 };

/* The range of one thread, on a cache line of its own. */
struct range {
    _Alignas(64) _Atomic uint64_t word;
};

struct dd_team {
    int threads;
    dd_parallel_delay *delay;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    _Atomic uint32_t begun;               /* the number of runs that have begun */
    _Alignas(64) _Atomic uint64_t sum;    /* the number of tasks of this run that are finished */
    _Alignas(64) _Atomic uint32_t number; /* the number of the last loop that is finished */
    _Atomic uint32_t left;                /* how many threads have left this run */
    _Atomic int sleepers;                 /* how many threads sleep in wait_for */
    _Atomic uint32_t gone;                /* counts each thread's last access to the team, in all runs */
    struct range range[];                 /* [threads] */
};

/* The process in which OpenMP has started threads; 0: it has started no threads yet.  It is the library's
   only global variable, because a fork has to know. */
static _Atomic pid_t first_process;

/* Says whether OpenMP can be asked for threads here.  Fork copies the caller alone: OpenMP's runtime in the
   child would wait for threads that only the parent has. */
static bool has_threads(void)
{
    pid_t none = 0, own = getpid();
    return atomic_compare_exchange_strong(&first_process, &none, own) || none == own;
}

struct dd_team *dd_parallel_create(int threads)
{
    struct dd_team *t = dd_memory(1, sizeof *t + (size_t)threads * sizeof *t->range);
    if (!t)
        return NULL;
    t->threads = threads;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_cond_init(&t->changed, NULL);
    return t;
}

void dd_parallel_free(struct dd_team *t)
{
    if (!t)
        return;
    /* OpenMP's barrier has ended the runs.  The thread sanitizer does not know that barrier; this load
       shows it the order. */
    (void)atomic_load_explicit(&t->gone, memory_order_acquire);
    pthread_cond_destroy(&t->changed);
    pthread_mutex_destroy(&t->mutex);
    free(t);
}

void dd_parallel_slow(struct dd_team *t, dd_parallel_delay *delay)
{
    t->delay = delay;
}

/* ---- waiting ---- */

static inline void pause_briefly(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
}

static int64_t nanoseconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Returns when *at has reached `value`.  The difference is signed, so that numbers may wrap around. */
static void wait_for(struct dd_team *t, _Atomic uint32_t *at, uint32_t value)
{
    int64_t start = 0;
    for (int i = 0;; i++) {
        if ((int32_t)(atomic_load_explicit(at, memory_order_acquire) - value) >= 0)
            return;
        pause_briefly();
        if (i % LOOKS)
            continue;
        if (i == 0)
            start = nanoseconds();
        else if (nanoseconds() - start > SPIN_NANOSECONDS)
            break;
    }

    pthread_mutex_lock(&t->mutex);
    atomic_fetch_add(&t->sleepers, 1);
    while ((int32_t)(atomic_load(at) - value) < 0)
        pthread_cond_wait(&t->changed, &t->mutex);
    atomic_fetch_sub(&t->sleepers, 1);
    pthread_mutex_unlock(&t->mutex);
}

/* Wakes the threads that sleep, after a change of what wait_for looks at.  All four accesses are sequentially
   consistent: either wait_for sees the change after it has counted its sleeper, or this sees the sleeper. */
static void wake(struct dd_team *t)
{
    if (!atomic_load(&t->sleepers))
        return;
    pthread_mutex_lock(&t->mutex);
    pthread_cond_broadcast(&t->changed);
    pthread_mutex_unlock(&t->mutex);
}

/* ---- runs ---- */

int dd_parallel_begin(struct dd_team *t)
{
    if (!t || t->threads == 1 || !has_threads())
        return 1;

    atomic_store_explicit(&t->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&t->number, 0, memory_order_relaxed);
    atomic_store_explicit(&t->left, 0, memory_order_relaxed);
    for (int i = 0; i < t->threads; i++)
        atomic_store_explicit(&t->range[i].word, 0, memory_order_relaxed);
    atomic_fetch_add_explicit(&t->begun, 1, memory_order_release);
    return t->threads;
}

struct dd_worker *dd_parallel_join(struct dd_worker *w, struct dd_team *t)
{
    *w = (struct dd_worker){ .team = t, .threads = 1 };
#if HAVE_OPENMP
    w->me = (size_t)omp_get_thread_num();
    w->threads = (size_t)omp_get_num_threads();
#endif

    /* This makes the caller's preparations visible here. */
    if (w->threads > 1)
        (void)atomic_load_explicit(&t->begun, memory_order_acquire);
    if (w->me > 0) {
        fegetenv(&w->mode);
        fesetenv(FE_DFL_ENV);
    }
    return w;
}

struct dd_worker *dd_parallel_leave(struct dd_worker *w)
{
    struct dd_team *t = w->team;
    if (w->me == 0 && w->threads > 1)
        wait_for(t, &t->left, (uint32_t)w->threads - 1);
    if (w->me > 0) {
        fesetenv(&w->mode);
        atomic_fetch_add(&t->left, 1);
        wake(t);
        atomic_fetch_add_explicit(&t->gone, 1, memory_order_release);
    }
    return NULL;
}

/* ---- tasks ---- */

static uint64_t word_of(uint32_t loop, size_t first, size_t end)
{
    return (uint64_t)loop << (64 - LOOP_BITS) | (uint64_t)first << TASK_BITS | end;
}

static size_t first_of(uint64_t word)
{
    return word >> TASK_BITS & TASKS_MOST;
}

static size_t end_of(uint64_t word)
{
    return word & TASKS_MOST;
}

/* Returns by how many loops a range is ahead of loop `loop`. */
static int32_t ahead_of(uint64_t word, uint32_t loop)
{
    return (int32_t)(((uint32_t)(word >> (64 - LOOP_BITS)) - loop) << (32 - LOOP_BITS));
}

/* Returns what `word` of thread i means in this loop: the word itself, or thread i's whole share when the
   word is of an earlier loop. */
static uint64_t range_now(const struct dd_worker *w, size_t i, uint64_t word)
{
    if (ahead_of(word, w->loop) >= 0)
        return word;
    size_t units = (w->n + w->grain - 1) / w->grain;
    return word_of(w->loop, (units * i + w->threads - 1) / w->threads,
                   (units * (i + 1) + w->threads - 1) / w->threads);
}

/* Begins a unit of `grain` tasks; returns its first task. */
static size_t begin_unit(struct dd_worker *w, size_t unit)
{
    size_t task = unit * w->grain;
    w->end = w->n - task < w->grain ? w->n : task + w->grain;
    if (w->team->delay)
        w->team->delay(w->loop, task);
    return task;
}

/* Claims the first task of the thread's own range.  Returns DD_NO_TASK when nothing is left of it or the loop
   is over.  A failed compare-and-swap puts the new word into `word`. */
static size_t claim_own(struct dd_worker *w)
{
    _Atomic uint64_t *own = &w->team->range[w->me].word;
    uint64_t word = atomic_load_explicit(own, memory_order_relaxed), now;
    do {
        now = range_now(w, w->me, word);
        if (ahead_of(now, w->loop) > 0 || first_of(now) == end_of(now))
            return DD_NO_TASK;
    } while (!atomic_compare_exchange_weak_explicit(own, &word, now + word_of(0, 1, 0), memory_order_relaxed,
                                                    memory_order_relaxed));
    return begin_unit(w, first_of(now));
}

/* Finds the longest range of the other threads and returns how much is left of it.  Returns 0 when all are
   empty or the loop is over.  *seen is the word of thread *of as it was read, because the compare-and-swap
   that takes from the range has to expect this word. */
static size_t longest_range(const struct dd_worker *w, size_t *of, uint64_t *seen)
{
    size_t most = 0;

    for (size_t k = 1; k < w->threads; k++) {
        size_t i = (w->me + k) % w->threads;
        uint64_t word = atomic_load_explicit(&w->team->range[i].word, memory_order_relaxed),
                 now = range_now(w, i, word);
        if (ahead_of(now, w->loop) > 0)
            return 0;

        if (end_of(now) - first_of(now) > most) {
            most = end_of(now) - first_of(now);
            *of = i;
            *seen = word;
        }
    }
    return most;
}

/* Takes the last half of the longest range and begins the first task of that half.  Returns DD_NO_TASK when
   nothing is left. */
static size_t claim_others(struct dd_worker *w)
{
    size_t of = 0, left;
    uint64_t seen = 0;

    while ((left = longest_range(w, &of, &seen))) {
        uint64_t now = range_now(w, of, seen);
        size_t end = end_of(now), middle = end - (left + 1) / 2;
        if (!atomic_compare_exchange_strong_explicit(&w->team->range[of].word, &seen,
                                                     word_of(w->loop, first_of(now), middle),
                                                     memory_order_relaxed, memory_order_relaxed))
            continue;

        /* A plain store is safe.  The thread's own range is empty, so nobody takes from it, and the loop
           cannot end before this thread has run `middle`. */
        atomic_store_explicit(&w->team->range[w->me].word, word_of(w->loop, middle + 1, end),
                              memory_order_relaxed);
        return begin_unit(w, middle);
    }
    return DD_NO_TASK;
}

/* Reports what the thread has run, and returns when the loop is finished. */
static void finish(struct dd_worker *w)
{
    struct dd_team *t = w->team;
    uint64_t mine = w->finished;

    w->finished = 0;
    if (mine && atomic_fetch_add_explicit(&t->sum, mine, memory_order_acq_rel) + mine == w->tasks) {
        atomic_store(&t->number, w->loop);
        wake(t);
    } else {
        wait_for(t, &t->number, w->loop);
    }
}

size_t dd_parallel_claim(struct dd_worker *w)
{
    size_t task = claim_own(w);
    if (task == DD_NO_TASK)
        task = claim_others(w);
    if (task == DD_NO_TASK)
        finish(w);
    return task;
}

size_t dd_parallel_open(struct dd_worker *w, size_t n)
{
    w->loop++;
    w->tasks += n;
    w->n = n;
    w->grain = n / ((size_t)TASKS_MOST + 1) + 1;
    if ((int32_t)(atomic_load_explicit(&w->team->number, memory_order_acquire) - w->loop) >= 0)
        return DD_NO_TASK;
    return dd_parallel_claim(w);
}
