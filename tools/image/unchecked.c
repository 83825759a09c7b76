/* Keeps every block of a run in a list, so that a jump out of the run can release all of them
   (unchecked.h). */
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include "image/unchecked.h"

struct block {
    struct block *before, *next;
    max_align_t data[];
};

/* The blocks form a ring that begins and ends at `list`, which is not a block itself. */
static _Thread_local struct block list;
static _Thread_local jmp_buf out;

static struct block *block_of(void *p)
{
    return (struct block *)(void *)((char *)p - offsetof(struct block, data));
}

static void insert(struct block *b)
{
    b->before = &list;
    b->next = list.next;
    b->next->before = list.next = b;
}

static void take_out(struct block *b)
{
    b->before->next = b->next;
    b->next->before = b->before;
}

void *unchecked_realloc(void *p, size_t size)
{
    struct block *b = p ? block_of(p) : NULL;
    if (b)
        take_out(b);

    struct block *made = size < SIZE_MAX - sizeof *b ? realloc(b, sizeof *b + size) : NULL;
    if (made) {
        insert(made);
        return made->data;
    }

    /* The old block stays valid, and is released with the others. */
    if (b)
        insert(b);
    longjmp(out, 1);
}

void unchecked_free(void *p)
{
    if (!p)
        return;
    take_out(block_of(p));
    free(block_of(p));
}

int unchecked_run(void (*run)(void *user), void *user)
{
    list.before = list.next = &list;
    if (!setjmp(out)) {
        run(user);
        return 0;
    }

    while (list.next != &list)
        unchecked_free(list.next->data);
    return -1;
}
