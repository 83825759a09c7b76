/* Allocates blocks aligned to 64 bytes, the size of a cache line and of the widest vector.  Large blocks
   lie on huge pages if the system has them. */
#include "base/memory.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/system.h"

size_t dd_memory_bytes(size_t n, size_t size, size_t align)
{
    if (size && n > (SIZE_MAX / 2) / size)
        return 0;

    size_t bytes = n * size;
    return bytes ? (bytes + align - 1) / align * align : align;
}

void *dd_memory(size_t n, size_t size)
{
    enum { ALIGN = 64, HUGE = 2 << 20 };

    size_t bytes = dd_memory_bytes(n, size, ALIGN), align = bytes < HUGE ? ALIGN : HUGE;
    void *p = bytes ? dd_system_block(align, bytes) : NULL;
    return p ? memset(p, 0, bytes) : NULL;
}

void dd_memory_free(void *block)
{
    dd_system_block_free(block);
}

void *dd_memory_more(void *list, size_t n, size_t size)
{
    enum { FIRST = 64 };

    bool is_full = !n || (n >= FIRST && (n & (n - 1)) == 0);
    if (!is_full)
        return list;

    size_t half = n ? n : FIRST / 2;
    return half <= SIZE_MAX / 4 / size ? realloc(list, 2 * half * size) : NULL;
}
