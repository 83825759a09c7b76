/* What tests need of POSIX and WASI alike. */
#include "tests/host.h"
#include <stdlib.h>
#include <unistd.h>

void host_environment(const char *name, const char *value)
{
    if (value)
        setenv(name, value, 1);
    else
        unsetenv(name);
}

bool host_truncate(const char *path, size_t size)
{
    return truncate(path, (off_t)size) == 0;
}
