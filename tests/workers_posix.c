/* Forks the processes that run tests side by side. */
#include "tests/workers.h"
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

void *workers_memory(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

int workers_place(void)
{
    return -1;
}

intptr_t workers_start(int place, void (*work)(void *user, int place), void *user)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        work(user, place);
        exit(1);
    }
    return child;
}

int workers_collect(FILE *file)
{
    int out = dup(STDOUT_FILENO);
    bool ok = dup2(fileno(file), STDOUT_FILENO) >= 0 && dup2(fileno(file), STDERR_FILENO) >= 0;
    return ok ? out : -1;
}

int workers_wait(const intptr_t *process, int workers, int *status)
{
    pid_t ended = wait(status);
    for (int place = 0; place < workers && ended >= 0; place++)
        if (process[place] == ended)
            return place;
    return -1;
}
