/* Wraps the allocation of aligned blocks on POSIX systems. */
#include "tests/unit/alloc.h"
#include <stddef.h>

void *__real_aligned_alloc(size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);

void *__wrap_aligned_alloc(size_t align, size_t size)
{
    return alloc_allowed() ? __real_aligned_alloc(align, size) : NULL;
}
