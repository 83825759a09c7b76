/* Threads for WASI, which has none: no thread starts, so nobody sleeps or is woken. */
#include "base/system.h"

bool dd_system_thread_start(struct dd_system_thread *t, size_t stack)
{
    (void)t;
    (void)stack;
    return false;
}

void dd_system_thread_join(struct dd_system_thread *t)
{
    (void)t;
}

void dd_system_sleepers_begin(struct dd_system_sleepers *s)
{
    (void)s;
}

void dd_system_sleepers_end(struct dd_system_sleepers *s)
{
    (void)s;
}

void dd_system_sleep(struct dd_system_sleepers *s, bool (*must_sleep)(const void *user), const void *user)
{
    (void)s;
    (void)must_sleep;
    (void)user;
}

void dd_system_wake(struct dd_system_sleepers *s)
{
    (void)s;
}

long dd_system_process(void)
{
    return 1;
}
