/* Shares loops among threads.

   A team is the caller and threads that wait for work, dd_parallel_create.  In a run of the team,
   dd_parallel_run, every thread executes the same function, and meets the others in its loops.  A loop,
   DD_TASKS, is a list of tasks that threads claim.  Each thread begins with neighbouring tasks of its own.
   When these are done, it takes the last half of what the slowest thread has left: the thread with the most
   tasks left.  A loop ends when all of its tasks are finished, no matter by which thread.  A thread that the
   system does not run therefore delays the others only by the task that it holds.  When it runs again, the
   loops that it has missed are finished.  A thread that wakes up when the run is over takes no part in it.

   Work is divided by the problem, and a task writes what no other task of its loop reads or writes.  So which
   thread runs a task changes no bit.  Between loops a thread may only compute what every thread computes
   alike: numbers and pointers on its own stack, from what no loop writes.  Everything else belongs into a
   task, or into DD_ONCE, a loop of a single task. */
#ifndef DD_PARALLEL_H
#define DD_PARALLEL_H
#include <stddef.h>
#include <stdint.h>

/* Threads that work together in every run.  A team serves one caller at a time. */
struct dd_team;

/* One thread's place in a run of its team. */
struct dd_worker {
    struct dd_team *team;
    size_t me;         /* the thread's index, 0 .. threads - 1 */
    size_t threads;    /* how many threads take part in this run */
    uint32_t loop;     /* the number of the present loop, from 1 on */
    uint64_t tasks;    /* how many tasks this run's loops have, up to and with the present one */
    size_t n;          /* how many tasks the present loop has */
    size_t grain;      /* how many tasks are claimed at a time: 1, but more in very long loops */
    size_t end;        /* the task behind the last one that the thread has claimed */
    uint64_t finished; /* how many tasks of the present loop the thread has run */
};

/* The work of a run, which every thread executes with its own place in the team.  user is the caller's. */
typedef void dd_parallel_work(struct dd_worker *w, void *user);

/* Makes a team of the caller and threads - 1 others, or of fewer where the system starts no more.  They
   take no signals, and compute under the floating-point environment that the caller has here.  NULL: out of
   memory. */
struct dd_team *dd_parallel_create(int threads);
/* Returns how many threads the team has, with the caller. */
int dd_parallel_threads(const struct dd_team *team);
/* Ends the team's threads.  The team may be NULL. */
void dd_parallel_free(struct dd_team *team);

/* Lets every thread of the team call work(w, user) once, the caller among them, and returns when all of them
   have returned.  A thread that is late is left out.  The caller is alone with a team of NULL, and in a child
   process, which has none of the threads of its parent.  A run must not begin inside of another. */
void dd_parallel_run(struct dd_team *team, dd_parallel_work *work, void *user);

/* Calls `delay` before every claimed unit of tasks, with its loop and its first task; NULL: calls nothing.
   Only tests use it. */
typedef void dd_parallel_delay(uint32_t loop, size_t task);
void dd_parallel_slow(struct dd_team *team, dd_parallel_delay *delay);

/* Stands before the body of a loop over tasks 0 .. n - 1.  With w NULL the caller runs them all. */
#define DD_TASKS(w, task, n) \
    for (size_t task = dd_tasks_begin(w, n); task != DD_NO_TASK; task = dd_tasks_next(w, task, n))
/* Stands before a statement that one of the threads executes. */
#define DD_ONCE(w) DD_TASKS(w, once_, 1)

#define DD_NO_TASK SIZE_MAX

/* The functions behind the macros above. */
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

/* Returns how many images, of `floats` floats each, go through several passes at a time, so that each pass
   finds in the cache what the pass before it has written. */
static inline int dd_images_of_pass(size_t floats, int threads, int batch)
{
    enum { PASS_FLOATS = 256 << 10 };

    return (int)dd_min(dd_blocks(PASS_FLOATS, floats) * (size_t)threads, (size_t)batch);
}

/* Returns the size of a part of a scratch block, in floats, rounded up so that the next part begins on a
   cache line. */
static inline size_t dd_aligned(size_t floats)
{
    return (floats + 15) & ~(size_t)15;
}
#endif
