/* What the program needs from the system that it runs on, in the program's own terms.  Each group of
   functions is implemented in one file for each system, system_GROUP_posix.c, system_GROUP_windows.c and so
   on; configure chooses the files of one system.  No other file of src/ or tools/ includes a header of a
   system.

   Functions that can fail say so by their result, and leave the reason in errno. */
#ifndef DD_SYSTEM_H
#define DD_SYSTEM_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- time ---- */

/* RUNNING:  the time for which the machine has run.  It measures durations, and stands still while the
             machine sleeps.
   ELAPSED:  the same with the time that the machine slept, if the system counts it.
   OF_DAY:   seconds since 1970 (UTC); somebody may set this clock. */
enum dd_time { DD_TIME_RUNNING, DD_TIME_ELAPSED, DD_TIME_OF_DAY };

/* Returns the time of a clock in seconds. */
double dd_system_time(enum dd_time clock);

/* Sleeps for so many seconds, or until a signal comes. */
void dd_system_pause(double seconds);

/* ---- threads ---- */

/* A thread that runs work(user).  The caller fills in these two, and keeps the struct until the join. */
struct dd_system_thread {
    void (*work)(void *user);
    void *user;
    uintptr_t handle;
};

/* Starts a thread with a stack of `stack` bytes.  It computes under the default floating-point environment
   or under that of its caller.  It takes none of the signals that ask the program to stop.  Returns false
   when the system starts no more threads. */
bool dd_system_thread_start(struct dd_system_thread *t, size_t stack);
/* Returns when the thread has ended. */
void dd_system_thread_join(struct dd_system_thread *t);

/* Lets threads sleep until another thread has changed something.  The memory holds what the system needs for
   it. */
struct dd_system_sleepers {
    _Alignas(16) unsigned char memory[128];
};

void dd_system_sleepers_begin(struct dd_system_sleepers *s);
void dd_system_sleepers_end(struct dd_system_sleepers *s);
/* Sleeps while must_sleep(user) is true.  It is called at the beginning and after every wake-up, by one
   thread at a time. */
void dd_system_sleep(struct dd_system_sleepers *s, bool (*must_sleep)(const void *user), const void *user);
/* Lets all sleepers call must_sleep again. */
void dd_system_wake(struct dd_system_sleepers *s);

/* Returns the number of this process.  A fork changes it. */
long dd_system_process(void);
#endif
