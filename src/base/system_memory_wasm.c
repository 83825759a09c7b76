/* Aligned blocks of memory. */
#include <stdlib.h>
#include "base/system.h"

void *dd_system_block(size_t align, size_t bytes)
{
    return aligned_alloc(align, (bytes + align - 1) / align * align);
}

void dd_system_block_free(void *block)
{
    free(block);
}
