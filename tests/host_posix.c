/* What tests need from a POSIX system. */
#include "tests/host.h"
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
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
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + bytes, page, PROT_NONE))
        exit(1);
    return p;
}

bool host_faults(void (*run)(const void *user), const void *user)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        run(user);
        _exit(0);
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status);
}

double host_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool host_truncate(const char *path, size_t size)
{
    return truncate(path, (off_t)size) == 0;
}

int host_processors(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
