/* Aligned blocks of memory.  Linux is told which of them shall lie on huge pages. */
#include <stdlib.h>
#include <sys/mman.h>
#include "base/system.h"

void *dd_system_block(size_t align, size_t bytes)
{
    enum { HUGE_PAGE = 2 << 20 };

    void *p = aligned_alloc(align, (bytes + align - 1) / align * align);
#ifdef MADV_HUGEPAGE
    if (p && align == HUGE_PAGE)
        madvise(p, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
#endif
    return p;
}

void dd_system_block_free(void *block)
{
    free(block);
}
