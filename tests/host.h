/* What tests need from the system beyond base/system.h. */
#ifndef HOST_H
#define HOST_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Sets a variable of the environment of this process, or removes it (value NULL). */
void host_environment(const char *name, const char *value);
/* Returns `bytes` bytes of zeros that end where the next page may not be touched. bytes is a multiple of
   the page. They stay until the end of the process. */
void *host_fence(size_t bytes);

/* Calls run(user) in a copy of this process. Returns its result, 0 to 255; -1 if a fault or 30 seconds have
   ended it; or HOST_NO_FORK on Windows, where a process cannot be copied. */
enum { HOST_NO_FORK = -2 };

int host_fork(int (*run)(void *user), void *user);
/* Returns the CPU time that this process has taken, in seconds. */
double host_cpu_time(void);
/* Sets the time at which a file was last written to, in nanoseconds since 1970; negative: now. */
bool host_set_written(const char *path, int64_t time);
/* Cuts a file, or makes it longer by zeros. */
bool host_truncate(const char *path, size_t size);
/* Returns the number of processors that the system runs on. */
int host_processors(void);
#endif
