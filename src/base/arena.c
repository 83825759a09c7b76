/* Keeps an arena as a list of chunks.  Each chunk is filled from its front.  A block that does not fit into
   the newest chunk begins another. */
#include "base/memory.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { ALIGN = 16, CHUNK = 16384 };

/* The head of a chunk.  used and size count from the head on. */
struct dd_arena_chunk {
    struct dd_arena_chunk *next;
    size_t used, size;
};

static struct dd_arena_chunk *chunk_create(size_t size)
{
    size_t head = dd_memory_bytes(1, sizeof(struct dd_arena_chunk), ALIGN);
    struct dd_arena_chunk *c = calloc(1, head + size);
    if (c)
        *c = (struct dd_arena_chunk){ NULL, head, head + size };
    return c;
}

void *dd_arena(struct dd_arena *a, size_t n, size_t size)
{
    size_t bytes = dd_memory_bytes(n, size, ALIGN);
    if (!bytes)
        return NULL;

    if (!a->chunk || a->chunk->size - a->chunk->used < bytes) {
        struct dd_arena_chunk *c = chunk_create(bytes > CHUNK ? bytes : CHUNK);
        if (!c)
            return NULL;
        c->next = a->chunk;
        a->chunk = c;
    }

    void *p = (char *)a->chunk + a->chunk->used;
    a->chunk->used += bytes;
    return p;
}

char *dd_arena_text(struct dd_arena *a, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int length = vsnprintf(NULL, 0, format, ap);
    va_end(ap);

    char *text = length < 0 ? NULL : dd_arena(a, (size_t)length + 1, 1);
    if (!text)
        return NULL;

    va_start(ap, format);
    vsnprintf(text, (size_t)length + 1, format, ap);
    va_end(ap);
    return text;
}

void dd_arena_free(struct dd_arena *a)
{
    while (a->chunk) {
        struct dd_arena_chunk *next = a->chunk->next;
        free(a->chunk);
        a->chunk = next;
    }
}
