/* The loops that threads share.  Work is divided by the problem, never by the number of threads: a loop body is one task, and which
   thread runs it changes no bit. */
#ifndef DD_PARALLEL_H
#define DD_PARALLEL_H
#include "config.h"

#if HAVE_OPENMP
#include <omp.h>
#define DD_PRAGMA(x) _Pragma(#x)
/* Before a for loop over tasks that take equally long, and over tasks that may not. */
#define DD_PARALLEL(threads) DD_PRAGMA(omp parallel for num_threads(threads) schedule(static))
#define DD_PARALLEL_UNEVEN(threads) DD_PRAGMA(omp parallel for num_threads(threads) schedule(dynamic))
/* Before a block that every thread runs once. */
#define DD_TEAM(threads) DD_PRAGMA(omp parallel num_threads(threads))

/* Inside: how many there are, and a place where the `team` that shares some work waits for all. */
static inline size_t dd_team(void)
{
    return (size_t)omp_get_num_threads();
}

static inline void dd_meet(size_t team)
{
    if (team > 1) {
        _Pragma("omp barrier")
    }
}

/* Inside any of these: which of the threads this is. */
static inline size_t dd_thread(void)
{
    return (size_t)omp_get_thread_num();
}
#else
#define DD_PARALLEL(threads) (void)(threads);
#define DD_PARALLEL_UNEVEN(threads) (void)(threads);
#define DD_TEAM(threads) (void)(threads);

static inline size_t dd_team(void)
{
    return 1;
}

static inline void dd_meet(size_t team)
{
    (void)team;
}

static inline size_t dd_thread(void)
{
    return 0;
}
#endif

static inline size_t dd_min(size_t a, size_t b)
{
    return a < b ? a : b;
}

static inline size_t dd_blocks(size_t n, size_t size)
{
    return (n + size - 1) / size;
}

/* Images of `floats` each that go through several passes at a time, so that a pass finds in the cache what the one before has written. */
static inline int dd_images_of_pass(size_t floats, int threads, int batch)
{
    enum { PASS_FLOATS = 256 << 10 };

    return (int)dd_min(dd_blocks(PASS_FLOATS, floats) * (size_t)threads, (size_t)batch);
}

/* Floats of a part of a scratch block, so that the next part begins on a cache line. */
static inline size_t dd_aligned(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}
#endif
