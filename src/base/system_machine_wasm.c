/* The machine of WASI: one thread, and a limit of memory that nobody tells. */
#include "base/system.h"

int dd_system_cores(const char *root)
{
    (void)root;
    return 1;
}

double dd_system_memory_limit(const char **name, const char *root)
{
    (void)root;
    *name = "the limit of the memory";
    return 0;
}
