/* Blocks aligned to 64 bytes: a line of the cache, and the widest vector. */
#include "base/memory.h"
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t dd_memory_bytes(size_t n, size_t size, size_t align)
{
    if (size && n > (SIZE_MAX / 2) / size)
        return 0;
    size_t bytes = n * size;
    return bytes ? (bytes + align - 1) / align * align : align;
}

void *dd_memory(size_t n, size_t size)
{
    enum { ALIGN = 64 };
    size_t bytes = dd_memory_bytes(n, size, ALIGN);
    void *p = bytes ? aligned_alloc(ALIGN, bytes) : NULL;
    return p ? memset(p, 0, bytes) : NULL;
}
