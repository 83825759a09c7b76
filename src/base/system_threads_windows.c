/* Threads of Windows.  Sleepers wait on a condition variable. */
#include <float.h>
#include <process.h>
#include <windows.h>
#include "base/system.h"

/* Windows starts threads with a precision of 53 bits for long double; the C library expects 64. */
static unsigned __stdcall begin(void *user)
{
    const struct dd_system_thread *t = user;
    _fpreset();
    t->work(t->user);
    return 0;
}

bool dd_system_thread_start(struct dd_system_thread *t, size_t stack)
{
    t->handle = _beginthreadex(NULL, (unsigned)stack, begin, t, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return t->handle != 0;
}

void dd_system_thread_join(struct dd_system_thread *t)
{
    WaitForSingleObject((HANDLE)t->handle, INFINITE);
    CloseHandle((HANDLE)t->handle);
}

/* What lies in the memory of sleepers. */
struct sleepers {
    SRWLOCK lock;
    CONDITION_VARIABLE changed;
};

_Static_assert(sizeof(struct sleepers) <= sizeof(struct dd_system_sleepers), "too little memory");

void dd_system_sleepers_begin(struct dd_system_sleepers *s)
{
    struct sleepers *own = (void *)s->memory;
    InitializeSRWLock(&own->lock);
    InitializeConditionVariable(&own->changed);
}

/* Windows keeps nothing outside of the memory. */
void dd_system_sleepers_end(struct dd_system_sleepers *s)
{
    (void)s;
}

void dd_system_sleep(struct dd_system_sleepers *s, bool (*must_sleep)(const void *user), const void *user)
{
    struct sleepers *own = (void *)s->memory;
    AcquireSRWLockExclusive(&own->lock);
    while (must_sleep(user))
        SleepConditionVariableSRW(&own->changed, &own->lock, INFINITE, 0);
    ReleaseSRWLockExclusive(&own->lock);
}

void dd_system_wake(struct dd_system_sleepers *s)
{
    struct sleepers *own = (void *)s->memory;
    AcquireSRWLockExclusive(&own->lock);
    WakeAllConditionVariable(&own->changed);
    ReleaseSRWLockExclusive(&own->lock);
}

long dd_system_process(void)
{
    return (long)GetCurrentProcessId();
}
