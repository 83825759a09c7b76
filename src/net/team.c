/* Starts the threads of a network.

   An OpenMP runtime that cannot start a thread ends the process.  So the same number of threads is started by
   pthread_create before, which returns an error instead.  When these threads have ended, there is room for
   the runtime's own. */
#include "net/team.h"
#include <stdlib.h>
#include "layer/parallel.h"

#if HAVE_OPENMP
#include <ctype.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>

static void *wait_at(void *gate)
{
    pthread_mutex_lock(gate);
    pthread_mutex_unlock(gate);
    return NULL;
}

/* Returns the bytes that "512K", "1G" or " 20000 b" asks for (OpenMP 4.5, section 4.7), or 0 when the text
   is not a size.  Without a unit it is in K. */
static size_t stack_bytes(const char *text)
{
    static const char units[] = "bkmg";
    char *end;
    unsigned long long n = text ? strtoull(text, &end, 10) : 0;
    if (!n)
        return 0;

    end += strspn(end, " \t");
    const char *unit = *end ? memchr(units, tolower((unsigned char)*end), 4) : units + 1;
    if (!unit || (*end && end[1 + strspn(end + 1, " \t")]))
        return 0;

    /* A size beyond size_t becomes the largest size_t. */
    int shift = 10 * (int)(unit - units);
    return n > SIZE_MAX >> shift ? SIZE_MAX : (size_t)n << shift;
}

/* Fills *attr with the stack that the runtime gives its threads. */
static void take_stack_size(pthread_attr_t *attr)
{
    static const char *const names[] = { "OMP_STACKSIZE", "GOMP_STACKSIZE", "OMP_STACKSIZE_ALL" };
    pthread_attr_init(attr);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        size_t bytes = stack_bytes(getenv(names[i]));
        if (bytes) {
            /* A size that is too small is refused here, as the runtime refuses it. */
            pthread_attr_setstacksize(attr, bytes);
            return;
        }
    }
}

/* Returns how many of n threads can run at once besides the caller. */
static int rehearse(pthread_t *thread, int n)
{
    pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
    pthread_attr_t attr;
    int started = 0;

    take_stack_size(&attr);
    /* All threads wait at the gate, so that they exist at the same time. */
    pthread_mutex_lock(&gate);
    while (started < n && pthread_create(&thread[started], &attr, wait_at, &gate) == 0)
        started++;

    pthread_mutex_unlock(&gate);
    pthread_attr_destroy(&attr);
    for (int i = 0; i < started; i++)
        pthread_join(thread[i], NULL);
    return started;
}

static int start(struct dd_team *team, int threads, ddpm_error *err)
{
    int others = threads - 1;
    pthread_t *thread = malloc((size_t)threads * sizeof *thread);
    int started = thread ? rehearse(thread, others) : 0;

    free(thread);
    if (started < others)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory or of processes: only %d of %d threads could be started "
                        "(see ulimit -u and -v, OMP_STACKSIZE): ask for fewer",
                        started + 1, threads);
    DD_TEAM(team, worker)
        (void)worker;
    return DDPM_OK;
}
#else
static int start(struct dd_team *team, int threads, ddpm_error *err)
{
    (void)team;
    (void)threads;
    (void)err;
    return DDPM_OK;
}
#endif

int dd_team_start(struct dd_team **team, int threads, ddpm_error *err)
{
    if (!(*team = dd_parallel_create(threads)))
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d threads", threads);
    return start(*team, threads, err);
}
