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

   Between runs the team's threads wait in the same way for the number of the next run.  A run has a gate, one
   word with the number of the run, a bit that says whether it is open, and how many threads have entered.
   The caller closes the gate when its own part is done, and waits for those that have entered: what they read
   is the caller's.  The others find the gate closed, so that nobody waits for a thread that sleeps.

   The operations on ranges are relaxed, because a range only divides the tasks and hands over no data.  What
   the tasks write becomes visible by the sum and the number: every thread adds to the sum with acquire and
   release, and the others acquire the number before they begin the next loop. */
#include "layer/parallel.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/memory.h"
#include "base/system.h"

/* A range holds the loop's number in 24 bits, the first task in 20 and the end in 20.  Tasks are counted in
   units of the loop's grain. */
enum { TASK_BITS = 20, LOOP_BITS = 24, TASKS_MOST = (1 << TASK_BITS) - 1 };

/* A thread looks for this many seconds before it sleeps, and LOOKS times between two readings of the clock;
   see bench/decisions.md. */
static const double spin = 20e-6;

enum { LOOKS = 16 };

/* The stack of a thread.  The tasks' arrays take some kilobytes; the rest is for sanitizers. */
enum { STACK_BYTES = 1 << 20 };

/* A thread of the team, on cache lines of its own. */
struct member {
    _Alignas(64) _Atomic uint64_t range;
    struct dd_team *team;
    struct dd_system_thread thread;
};

struct dd_team {
    int threads;  /* how many there are, with the caller */
    long process; /* the process that has them */
    dd_parallel_delay *delay;
    struct dd_system_sleepers asleep;

    /* The present run; work is NULL when the threads shall end. */
    dd_parallel_work *work;
    void *user;
    _Atomic uint32_t begun; /* its number */
    _Atomic uint64_t gate;  /* its number in the upper half; OPEN, and how many threads have entered */
    _Atomic uint32_t left;  /* how many of them have left */

    _Alignas(64) _Atomic uint64_t sum;    /* the number of tasks of this run that are finished */
    _Alignas(64) _Atomic uint32_t number; /* the number of the last loop that is finished */
    _Atomic int sleepers;                 /* how many threads sleep in wait_for */
    struct member member[];               /* [threads]; the caller is the first */
};

#define OPEN ((uint64_t)1 << 31)

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

/* A number and the value that it is to reach. */
struct goal {
    _Atomic uint32_t *at;
    uint32_t value;
};

/* Returns whether the value is not reached yet.  The difference is signed, so that numbers may wrap
   around. */
static bool is_ahead(const void *user)
{
    const struct goal *g = user;
    return (int32_t)(atomic_load(g->at) - g->value) < 0;
}

/* Returns when *at has reached `value`. */
static void wait_for(struct dd_team *t, _Atomic uint32_t *at, uint32_t value)
{
    double start = 0;
    for (int i = 0;; i++) {
        if ((int32_t)(atomic_load_explicit(at, memory_order_acquire) - value) >= 0)
            return;
        pause_briefly();
        if (i % LOOKS)
            continue;
        if (i == 0)
            start = dd_system_time(DD_TIME_RUNNING);
        else if (dd_system_time(DD_TIME_RUNNING) - start > spin)
            break;
    }

    atomic_fetch_add(&t->sleepers, 1);
    dd_system_sleep(&t->asleep, is_ahead, &(struct goal){ at, value });
    atomic_fetch_sub(&t->sleepers, 1);
}

/* Wakes the threads that sleep, after a change of what wait_for looks at.  All four accesses are sequentially
   consistent: either wait_for sees the change after it has counted its sleeper, or this sees the sleeper. */
static void wake(struct dd_team *t)
{
    if (atomic_load(&t->sleepers))
        dd_system_wake(&t->asleep);
}

/* ---- runs ---- */

/* Enters run `number`; returns whether its gate was open. */
static bool enter(struct dd_team *t, uint32_t number)
{
    uint64_t gate = atomic_load_explicit(&t->gate, memory_order_relaxed);
    do {
        if (gate >> 32 != number || !(gate & OPEN))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&t->gate, &gate, gate + 1, memory_order_acq_rel,
                                                    memory_order_relaxed));
    return true;
}

/* Calls the run's work as thread `me`. */
static void take_part(struct dd_team *t, size_t me)
{
    struct dd_worker w = { .team = t, .me = me, .threads = (size_t)t->threads };
    t->work(&w, t->user);
}

/* Is what a thread of the team does: it takes part in runs until there is no work. */
static void serve(void *user)
{
    const struct member *own = user;
    struct dd_team *t = own->team;
    size_t me = (size_t)(own - t->member);
    uint32_t number = 0;

    for (;;) {
        wait_for(t, &t->begun, number + 1);
        number = atomic_load_explicit(&t->begun, memory_order_acquire);
        if (!enter(t, number))
            continue;
        if (!t->work)
            return;

        take_part(t, me);
        atomic_fetch_add(&t->left, 1);
        wake(t);
    }
}

/* Opens the gate of a run. */
static void open_gate(struct dd_team *t, dd_parallel_work *work, void *user)
{
    uint32_t number = atomic_load_explicit(&t->begun, memory_order_relaxed) + 1;
    t->work = work;
    t->user = user;
    atomic_store_explicit(&t->gate, (uint64_t)number << 32 | OPEN, memory_order_release);
    atomic_store(&t->begun, number);
    wake(t);
}

/* Makes all loops of a run unfinished. */
static void reset(struct dd_team *t)
{
    atomic_store_explicit(&t->sum, 0, memory_order_relaxed);
    atomic_store_explicit(&t->number, 0, memory_order_relaxed);
    atomic_store_explicit(&t->left, 0, memory_order_relaxed);
    for (int i = 0; i < t->threads; i++)
        atomic_store_explicit(&t->member[i].range, 0, memory_order_relaxed);
}

void dd_parallel_run(struct dd_team *t, dd_parallel_work *work, void *user)
{
    if (!t || t->threads == 1 || t->process != dd_system_process()) {
        struct dd_worker alone = { .team = t, .threads = 1 };
        work(&alone, user);
        return;
    }

    reset(t);
    open_gate(t, work, user);
    take_part(t, 0);
    uint64_t gate = atomic_fetch_and_explicit(&t->gate, ~OPEN, memory_order_acq_rel);
    wait_for(t, &t->left, (uint32_t)(gate & (OPEN - 1)));
}

/* ---- the team's life ---- */

/* Starts the other threads, or as many as the system allows. */
static void start(struct dd_team *t, int threads)
{
    for (; t->threads < threads; t->threads++) {
        struct member *m = &t->member[t->threads];
        m->team = t;
        m->thread = (struct dd_system_thread){ .work = serve, .user = m };
        if (!dd_system_thread_start(&m->thread, STACK_BYTES))
            break;
    }
}

struct dd_team *dd_parallel_create(int threads)
{
    struct dd_team *t = dd_memory(1, sizeof *t + (size_t)threads * sizeof *t->member);
    if (!t)
        return NULL;

    t->threads = 1;
    t->process = dd_system_process();
    dd_system_sleepers_begin(&t->asleep);
    start(t, threads);
    return t;
}

int dd_parallel_threads(const struct dd_team *t)
{
    return t->threads;
}

void dd_parallel_free(struct dd_team *t)
{
    /* A child process has a copy of the memory and none of the threads. */
    if (t && t->process == dd_system_process()) {
        open_gate(t, NULL, NULL);
        for (int i = 1; i < t->threads; i++)
            dd_system_thread_join(&t->member[i].thread);
        dd_system_sleepers_end(&t->asleep);
    }
    dd_memory_free(t);
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
    _Atomic uint64_t *own = &w->team->member[w->me].range;
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
        uint64_t word = atomic_load_explicit(&w->team->member[i].range, memory_order_relaxed),
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
        if (!atomic_compare_exchange_strong_explicit(&w->team->member[of].range, &seen,
                                                     word_of(w->loop, first_of(now), middle),
                                                     memory_order_relaxed, memory_order_relaxed))
            continue;

        /* A plain store is safe.  The thread's own range is empty, so nobody takes from it, and the loop
           cannot end before this thread has run `middle`. */
        atomic_store_explicit(&w->team->member[w->me].range, word_of(w->loop, middle + 1, end),
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
