/* Wraps the allocation of aligned blocks on Windows. */
#include "tests/unit/alloc.h"
#include <stddef.h>

void *__real__aligned_malloc(size_t size, size_t align);
void *__wrap__aligned_malloc(size_t size, size_t align);

void *__wrap__aligned_malloc(size_t size, size_t align)
{
    return alloc_allowed() ? __real__aligned_malloc(size, align) : NULL;
}
