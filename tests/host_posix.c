/* What tests need from a POSIX system. */
#include "tests/host.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

void *host_fence(size_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *p = mmap(NULL, bytes + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED || mprotect(p + bytes, page, PROT_NONE))
        exit(1);
    return p;
}

int host_fork(int (*run)(void *user), void *user)
{
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        _exit(run(user));
    }
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

double host_cpu_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

bool host_set_written(const char *path, int64_t time)
{
    struct timespec times[2] = { { 0, UTIME_OMIT }, { time / 1000000000, time % 1000000000 } };
    if (time < 0)
        times[1] = (struct timespec){ 0, UTIME_NOW };
    return utimensat(AT_FDCWD, path, times, 0) == 0;
}

int host_processors(void)
{
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
