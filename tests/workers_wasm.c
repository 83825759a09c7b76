/* WASI starts no processes: the tests run one after the other in this one. */
#include "tests/workers.h"
#include <stdlib.h>

void *workers_memory(size_t size)
{
    return calloc(1, size);
}

int workers_place(void)
{
    return -1;
}

intptr_t workers_start(int place, void (*work)(void *user, int place), void *user)
{
    (void)place;
    (void)work;
    (void)user;
    return -1;
}

int workers_collect(FILE *file)
{
    (void)file;
    return -1;
}

int workers_wait(const intptr_t *process, int workers, int *status)
{
    (void)process;
    (void)workers;
    (void)status;
    return -1;
}
