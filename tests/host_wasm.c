/* What tests need of WASI.  It has no pages that may not be touched: a fence is the end of the memory that is
   asked for, so a store beyond it is seen by the pattern behind it, and a load is not. */
#include "tests/host.h"
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

void host_environment(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

void *host_fence(size_t bytes)
{
    return calloc(1, bytes);
}

int host_fork(int (*run)(void *user), void *user)
{
    (void)run;
    (void)user;
    return HOST_NO_FORK;
}

double host_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool host_set_written(const char *path, int64_t time)
{
    (void)path;
    (void)time;
    return false;
}

bool host_truncate(const char *path, size_t size)
{
    return truncate(path, (off_t)size) == 0;
}

int host_processors(void)
{
    return 1;
}
