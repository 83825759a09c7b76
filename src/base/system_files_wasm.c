/* Files of WASI: the calls of POSIX.  Its C library declares the advice about memory, and lacks it. */
#include "base/system_files_posix.c"

int madvise(void *data, size_t size, int advice)
{
    (void)data;
    (void)size;
    (void)advice;
    return 0;
}
