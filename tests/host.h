/* What tests need from the system beyond base/system.h. */
#ifndef HOST_H
#define HOST_H
#include <stdbool.h>
#include <stddef.h>

/* Sets a variable of the environment of this process, or removes it (value NULL). */
void host_environment(const char *name, const char *value);
/* Returns `bytes` bytes of zeros that end where the next page may not be touched. bytes is a multiple of
   the page. They stay until the end of the process. */
void *host_fence(size_t bytes);
/* Calls run(user) in a child process. Returns whether a fault ended it; on Windows, which has no fork, it
   returns false. */
bool host_faults(void (*run)(const void *user), const void *user);
/* Returns the CPU time that this process has taken, in seconds. */
double host_cpu_time(void);
/* Cuts a file, or makes it longer by zeros. */
bool host_truncate(const char *path, size_t size);
/* Returns the number of processors that the system runs on. */
int host_processors(void);
#endif
