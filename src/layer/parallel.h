/* The loops that threads share.

   A run of the network is one parallel region.  Every thread of the team executes the same code, the block
   of DD_TEAM, and meets the others in its loops. A loop, DD_TASKS, is a list of tasks that threads claim.
   Each thread begins with neighbouring tasks of its own; when these are done it takes from the end of what
   the slowest one has left.  A loop ends when all of its tasks are finished, whoever ran them.  So a thread
   that is not running delays the others by the one task that it holds, and finds the loops it has missed
   finished.

   Work is divided by the problem, and a task writes what no other task of its loop reads, so it changes no
   bit which thread runs it.  Between loops a thread may only compute what every thread computes alike:
   numbers and pointers on its own stack, from what no loop writes.  Everything else belongs into a task, or
   into DD_ONCE, a loop of a single task. */
#ifndef DD_PARALLEL_H
#define DD_PARALLEL_H
#include <fenv.h>
#include <stddef.h>
#include <stdint.h>
#include "config.h"

#if HAVE_OPENMP
#define DD_PRAGMA(x) _Pragma(#x)
#else
#define DD_PRAGMA(x)
#endif

/* Threads that work together, in one run after the other.  A team serves one caller at a time. */
struct dd_team;

/* One thread's place in a run of its team. */
struct dd_worker {
    struct dd_team *team;
    size_t me;         /* which of the threads it is */
    size_t threads;    /* how many take part in this run */
    uint32_t loop;     /* the number of the loop it is in, from 1 on */
    uint64_t tasks;    /* of the loops up to this one */
    size_t n;          /* tasks of this loop */
    size_t grain;      /* how many are claimed at a time: 1, but more in very long loops */
    size_t end;        /* of what it has claimed */
    uint64_t finished; /* tasks of this loop that it has run */
    fenv_t mode;       /* the floating-point environment that the thread had before */
};

/* Makes a team of this many threads, which OpenMP starts in the first run.  NULL: out of memory. */
struct dd_team *dd_parallel_create(int threads);
void dd_parallel_free(struct dd_team *team);
/* For tests: lets `delay` be called before every task that is claimed, with its loop and its number.  NULL:
   nothing is called. */
typedef void dd_parallel_delay(uint32_t loop, size_t task);
void dd_parallel_slow(struct dd_team *team, dd_parallel_delay *delay);

/* Stands before a block that every thread of the team runs once; w is its place in it.  A team of NULL is
   the caller alone.  The block may be left at its end only.  The other threads compute under the default
   floating-point environment. */
#define DD_TEAM(team, w)                                         \
    DD_PRAGMA(omp parallel num_threads(dd_parallel_begin(team))) \
    for (struct dd_worker w##_place, *w = dd_parallel_join(&w##_place, team); w; w = dd_parallel_leave(w))

/* Stands before the body of a loop over tasks 0 .. n - 1.  w NULL: the caller is alone. */
#define DD_TASKS(w, task, n) \
    for (size_t task = dd_tasks_begin(w, n); task != DD_NO_TASK; task = dd_tasks_next(w, task, n))
/* Stands before a statement that one of the threads executes. */
#define DD_ONCE(w) DD_TASKS(w, once_, 1)

/* Stands before the body of a loop that is a run of its own. */
#define DD_PARALLEL(team, task, n) \
    DD_TEAM(team, worker_)         \
        DD_TASKS(worker_, task, n)

#define DD_NO_TASK SIZE_MAX

/* The functions that these are made of. */
int dd_parallel_begin(struct dd_team *team);
struct dd_worker *dd_parallel_join(struct dd_worker *w, struct dd_team *team);
struct dd_worker *dd_parallel_leave(struct dd_worker *w);
size_t dd_parallel_open(struct dd_worker *w, size_t n);
size_t dd_parallel_claim(struct dd_worker *w);

static inline size_t dd_tasks_begin(struct dd_worker *w, size_t n)
{
    if (n == 0)
        return DD_NO_TASK;
    return w && w->threads > 1 ? dd_parallel_open(w, n) : 0;
}

static inline size_t dd_tasks_next(struct dd_worker *w, size_t task, size_t n)
{
    task++;
    if (!w || w->threads == 1)
        return task < n ? task : DD_NO_TASK;
    w->finished++;
    return task < w->end ? task : dd_parallel_claim(w);
}

/* Returns which of the threads this is: 0 .. threads - 1. */
static inline size_t dd_thread(const struct dd_worker *w)
{
    return w ? w->me : 0;
}

static inline size_t dd_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t dd_blocks(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

/* Returns how many images of `floats` each go through several passes at a time, so that a pass finds in the
   cache what the one before has written. */
static inline int dd_images_of_pass(size_t floats, int threads, int batch)
{
    enum { PASS_FLOATS = 256 << 10 };

    return (int)dd_min(dd_blocks(PASS_FLOATS, floats) * (size_t)threads, (size_t)batch);
}

/* Returns the floats of a part of a scratch block, rounded up so that the next part begins on a cache line.
   */
static inline size_t dd_aligned(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}
#endif
