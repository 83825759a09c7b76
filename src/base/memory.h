/* Memory: aligned blocks, arrays that grow, and an arena for the many small things that live and die with one
   handle. */
#ifndef DD_MEMORY_H
#define DD_MEMORY_H
#include <stddef.h>
#include "base/error.h"

/* Returns a zeroed block of n * size bytes (of at least 64), aligned to 64, or NULL when there is no memory
   or n * size overflows.  Its pages have been touched, so using it later cannot fail.  dd_memory_free
   releases it. */
void *dd_memory(size_t n, size_t size);
/* Releases a block of dd_memory, which may be NULL. */
void dd_memory_free(void *block);

/* Returns n * size rounded up to a multiple of align, and at least align; 0 when that is too large. */
size_t dd_memory_bytes(size_t n, size_t size, size_t align);

/* Returns a list of n elements of this size with space for one more, or NULL when there is no memory; the
   list stays as it was then.  A list begins as NULL with n = 0.  Every element is added in this way, because
   the space follows from n: 64, 128, 256, ... elements.  Release it with free(). */
void *dd_memory_more(void *list, size_t n, size_t size);

/* An arena.  { NULL } is an empty one. */
struct dd_arena {
    struct dd_arena_chunk *chunk;
};

/* Returns n * size zeroed bytes, aligned to 16, which live until dd_arena_free, or NULL when there is no
   memory or n * size overflows. */
void *dd_arena(struct dd_arena *a, size_t n, size_t size);

/* Returns a formatted text that lives until dd_arena_free, or NULL when there is no memory. */
char *dd_arena_text(struct dd_arena *a, const char *format, ...) DD_PRINTF(2, 3);

/* Releases everything.  The arena is empty then, and may be used again. */
void dd_arena_free(struct dd_arena *a);
#endif
