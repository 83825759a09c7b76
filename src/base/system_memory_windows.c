/* Aligned blocks of memory.  They lie on ordinary pages: large ones take a right that users do not have. */
#include <malloc.h>
#include "base/system.h"

void *dd_system_block(size_t align, size_t bytes)
{
    return _aligned_malloc(bytes, align);
}

void dd_system_block_free(void *block)
{
    _aligned_free(block);
}
