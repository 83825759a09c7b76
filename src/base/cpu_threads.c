/* Chooses the number of threads: OMP_NUM_THREADS, or the cores of which this process may use all. */
#include <stdlib.h>
#include "base/cpu.h"
#include "base/system.h"

/* Returns how many threads OMP_NUM_THREADS asks for; 0: it says nothing.  In a list such as "4,2" the first
   number is for the outermost level. */
static int wished(void)
{
    const char *text = getenv("OMP_NUM_THREADS");
    char *end = NULL;
    long n = text ? strtol(text, &end, 10) : 0;
    return end != text && n > 0 && n <= DD_THREADS_MOST && (!*end || *end == ',') ? (int)n : 0;
}

int dd_cpu_threads(const char *sysroot)
{
    int n = wished();
    return n ? n : dd_system_cores(sysroot);
}
