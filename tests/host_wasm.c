/* What tests need of WASI.  It has no pages that may not be touched, so host_fence gives memory without a
   fence: whether kernels stay within their arrays is seen where they are compiled for other systems. */
#include "tests/host.h"
#include <stdlib.h>
#include <time.h>

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

int host_processors(void)
{
    return 1;
}
