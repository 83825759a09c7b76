/* Threads of POSIX.  Sleepers wait on a condition variable. */
#include <pthread.h>
#include <signal.h>
#include <unistd.h>
#include "base/system.h"

static void *begin(void *user)
{
    const struct dd_system_thread *t = user;
    t->work(t->user);
    return NULL;
}

/* The new thread inherits a mask that blocks all signals but those that an instruction of its own raises. */
bool dd_system_thread_start(struct dd_system_thread *t, size_t stack)
{
    static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS };
    pthread_attr_t attr;
    pthread_t made;
    sigset_t others, before;

    sigfillset(&others);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&others, own[i]);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, stack);

    pthread_sigmask(SIG_SETMASK, &others, &before);
    bool started = !pthread_create(&made, &attr, begin, t);
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    pthread_attr_destroy(&attr);
    if (started)
        t->handle = (uintptr_t)made;
    return started;
}

void dd_system_thread_join(struct dd_system_thread *t)
{
    pthread_join((pthread_t)t->handle, NULL);
}

/* What lies in the memory of sleepers. */
struct sleepers {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
};

_Static_assert(sizeof(struct sleepers) <= sizeof(struct dd_system_sleepers), "too little memory");

void dd_system_sleepers_begin(struct dd_system_sleepers *s)
{
    struct sleepers *own = (void *)s->memory;
    pthread_mutex_init(&own->mutex, NULL);
    pthread_cond_init(&own->changed, NULL);
}

void dd_system_sleepers_end(struct dd_system_sleepers *s)
{
    struct sleepers *own = (void *)s->memory;
    pthread_cond_destroy(&own->changed);
    pthread_mutex_destroy(&own->mutex);
}

void dd_system_sleep(struct dd_system_sleepers *s, bool (*must_sleep)(const void *user), const void *user)
{
    struct sleepers *own = (void *)s->memory;
    pthread_mutex_lock(&own->mutex);
    while (must_sleep(user))
        pthread_cond_wait(&own->changed, &own->mutex);
    pthread_mutex_unlock(&own->mutex);
}

void dd_system_wake(struct dd_system_sleepers *s)
{
    struct sleepers *own = (void *)s->memory;
    pthread_mutex_lock(&own->mutex);
    pthread_cond_broadcast(&own->changed);
    pthread_mutex_unlock(&own->mutex);
}

long dd_system_process(void)
{
    return (long)getpid();
}
