/* Keeps the bytes, stack, marks, memo and nodes of the pickle machine (pickle_stack.h).

   After the first error every function still returns something harmless, so that pickle.c need not
   ask after each step. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/memory.h"
#include "checkpoint/pickle_stack.h"

void pickle_fail(struct pickle_machine *m, int code, const char *format, ...)
{
    char text[256];
    va_list ap;
    if (m->code)
        return;

    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    m->code = dd_error(m->err, code, "pickle, byte %zu: %s", m->start, text);
}

void pickle_bad(struct pickle_machine *m, const char *what)
{
    pickle_fail(m, DDPM_EDATA, "%s", what);
}

/* ---- bytes ---- */

const unsigned char *pickle_take(struct pickle_machine *m, uint64_t n)
{
    if (n > m->size - m->at) {
        pickle_fail(m, DDPM_EDATA, "cut short: %llu more bytes are asked for, %zu are left",
                    (unsigned long long)n, m->size - m->at);
        return NULL;
    }
    m->at += (size_t)n;
    return m->data + m->at - n;
}

uint64_t pickle_take_uint(struct pickle_machine *m, unsigned bytes)
{
    const unsigned char *b = pickle_take(m, bytes);
    uint64_t v = 0;
    for (unsigned i = bytes; b && i--;)
        v = v << 8 | b[i];
    return v;
}

struct pickle_span pickle_take_line(struct pickle_machine *m)
{
    const unsigned char *from = m->data + m->at, *end = memchr(from, '\n', m->size - m->at);
    if (!end) {
        pickle_bad(m, "a line has no end");
        return (struct pickle_span){ "", 0 };
    }

    struct pickle_span line = { (const char *)from, (size_t)(end - from) };
    m->at += line.length + 1;
    return line;
}

/* ---- stack and marks ---- */

void pickle_list_add(struct pickle_machine *m, struct pickle_node ***list, size_t *count,
                     struct pickle_node *n)
{
    struct pickle_node **more = dd_memory_more(*list, *count, sizeof *more);
    if (!more) {
        pickle_fail(m, DDPM_ENOMEM, "out of memory");
        return;
    }
    *list = more;
    more[(*count)++] = n;
}

void pickle_push(struct pickle_machine *m, struct pickle_node *n)
{
    pickle_list_add(m, &m->stack, &m->top, n);
}

struct pickle_node *pickle_pop(struct pickle_machine *m)
{
    /* Values below a mark belong to the container around it. */
    size_t floor = m->marks ? m->mark[m->marks - 1] : 0;
    if (m->top > floor)
        return m->stack[--m->top];

    pickle_bad(m, "the stack is empty");
    return &m->nothing;
}

struct pickle_node *pickle_peek(struct pickle_machine *m)
{
    struct pickle_node *n = pickle_pop(m);
    /* The popped value is still in its place, so raising the top puts it back. */
    if (!m->code)
        m->top++;
    return n;
}

void pickle_set_mark(struct pickle_machine *m)
{
    size_t *more = dd_memory_more(m->mark, m->marks, sizeof *more);
    if (!more) {
        pickle_fail(m, DDPM_ENOMEM, "out of memory");
        return;
    }
    m->mark = more;
    m->mark[m->marks++] = m->top;
}

struct pickle_node **pickle_pop_to_mark(struct pickle_machine *m, size_t *n)
{
    *n = 0;
    if (!m->marks) {
        pickle_bad(m, "there is no mark");
        return NULL;
    }

    size_t from = m->mark[--m->marks];
    *n = m->top - from;
    m->top = from;
    return *n ? m->stack + from : NULL;
}

/* ---- memo ---- */

void pickle_memo_put(struct pickle_machine *m, uint64_t index)
{
    struct pickle_node *n = pickle_peek(m);

    /* A pickler numbers stored values from 0.  A number beyond the count of opcodes could only
       claim memory. */
    if (index > m->operations) {
        pickle_fail(m, DDPM_EDATA, "memo index %llu after %zu operations", (unsigned long long)index,
                    m->operations);
        return;
    }

    while (!m->code && m->memo_size <= index)
        pickle_list_add(m, &m->memo, &m->memo_size, NULL);
    if (!m->code)
        m->memo[index] = n;

    /* MEMOIZE gives the next value this number. */
    m->memos++;
}

void pickle_memo_get(struct pickle_machine *m, uint64_t index)
{
    if (index < m->memo_size && m->memo[index])
        pickle_push(m, m->memo[index]);
    else
        pickle_fail(m, DDPM_EDATA, "memo index %llu was never set", (unsigned long long)index);
}

/* ---- nodes ---- */

struct pickle_node *pickle_make(struct pickle_machine *m, enum pickle_kind kind)
{
    struct pickle_node *n = dd_arena(m->arena, 1, sizeof *n);
    if (!n) {
        pickle_fail(m, DDPM_ENOMEM, "out of memory");
        n = &m->nothing;
    }
    n->kind = (unsigned char)kind;
    return n;
}

void pickle_append(struct pickle_machine *m, struct pickle_node *to, struct pickle_node *const *item,
                   size_t n)
{
    if (m->code || !n)
        return;

    /* The arena cannot resize a block.  Each new block is twice as large, so all abandoned
       blocks together are smaller than the last. */
    if (n > to->room - to->count) {
        size_t more = to->count + n > 2 * (size_t)to->room ? to->count + n : 2 * (size_t)to->room;
        struct pickle_node **list = dd_arena(m->arena, more, sizeof *list);
        if (!list) {
            pickle_fail(m, DDPM_ENOMEM, "out of memory");
            return;
        }
        if (to->count)
            memcpy(list, to->item, to->count * sizeof *list);
        to->item = list;
        to->room = (uint32_t)more;
    }

    memcpy(to->item + to->count, item, n * sizeof *item);
    to->count += (uint32_t)n;
}
