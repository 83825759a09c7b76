/* Memory: aligned blocks, and an arena for the many small things that live and die with one handle. */
#ifndef DD_MEMORY_H
#define DD_MEMORY_H
#include <stddef.h>
#include "base/error.h"

/* A zeroed block of n * size bytes (of one line of the cache when that is 0), aligned to 64, its pages touched, so that using it
   later cannot fail; NULL when out of memory or when the product overflows.  Released with free(). */
void *dd_memory(size_t n, size_t size);
/* n * size rounded up to a multiple of align, at least align; 0 when that is too large. */
size_t dd_memory_bytes(size_t n, size_t size, size_t align);

/* Returns a list of n elements of this size with space for one more, or NULL when out of memory; then the list
   stays as it was.  Every element of a list is added in this way, because the space follows from n: 64, 128,
   256, ... elements.  A list begins as NULL with n = 0 and is released with free(). */
void *dd_memory_more(void *list, size_t n, size_t size);

struct dd_arena {
    struct dd_arena_chunk *chunk;
}; /* {0} is empty */

/* Zeroed, aligned to 16; NULL when out of memory or when the product overflows.  Lives until dd_arena_free. */
void *dd_arena(struct dd_arena *a, size_t n, size_t size);
char *dd_arena_text(struct dd_arena *a, const char *format, ...) DD_PRINTF(2, 3);
void dd_arena_free(struct dd_arena *a);
#endif
