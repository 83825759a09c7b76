/* The machine: a stack of nodes, a stack of marks (heights of the first), a memo.  Every opcode is at least one byte and makes at
   most one node or one reference per byte read, so all three are bounded by the length of the pickle. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/pickle.h"

struct machine {
    struct pickle *p;
    struct dd_arena *arena;
    const unsigned char *data;
    size_t size, at, start, operations; /* start: of the opcode being done */
    struct pickle_node **stack, **memo;
    size_t *mark;
    size_t top, room, marks, mark_room, memos, memo_room, persistent_room;
    struct pickle_node nothing, *none, *truth[2]; /* nothing stands in for what an error withheld */
    ddpm_error *err;
    int code;
};

static void fail(struct machine *m, int code, const char *format, ...) DD_PRINTF(3, 4);

static void fail(struct machine *m, int code, const char *format, ...)
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

static void bad(struct machine *m, const char *what)
{
    fail(m, DDPM_EDATA, "%s", what);
}

/* ---- bytes ---- */

static const unsigned char *take(struct machine *m, uint64_t n)
{
    if (n > m->size - m->at) {
        fail(m, DDPM_EDATA, "cut short: %llu more bytes are asked for, %zu are left", (unsigned long long)n,
             m->size - m->at);
        return NULL;
    }
    m->at += (size_t)n;
    return m->data + m->at - n;
}

static uint64_t take_uint(struct machine *m, unsigned bytes)
{
    const unsigned char *b = take(m, bytes);
    uint64_t v = 0;
    for (unsigned i = bytes; b && i--;)
        v = v << 8 | b[i];
    return v;
}

/* A line, without its end. */
static const char *take_line(struct machine *m, size_t *length)
{
    const unsigned char *from = m->data + m->at, *end = memchr(from, '\n', m->size - m->at);
    *length = 0;
    if (!end) {
        bad(m, "a line has no end");
        return "";
    }
    *length = (size_t)(end - from);
    m->at += *length + 1;
    return (const char *)from;
}

/* ---- stack, marks and memo ---- */

static int grow(struct machine *m, void **list, size_t *room, size_t need, size_t size)
{
    if (need <= *room)
        return 1;
    size_t more = *room * 2 > need ? *room * 2 : need + 64;
    void *to = realloc(*list, more * size);
    if (!to) {
        fail(m, DDPM_ENOMEM, "out of memory");
        return 0;
    }
    memset((char *)to + *room * size, 0, (more - *room) * size);
    *list = to;
    *room = more;
    return 1;
}

static void push(struct machine *m, struct pickle_node *n)
{
    if (grow(m, (void **)&m->stack, &m->room, m->top + 1, sizeof *m->stack))
        m->stack[m->top++] = n;
}

static struct pickle_node *pop(struct machine *m)
{
    size_t floor = m->marks ? m->mark[m->marks - 1] : 0;
    if (m->top > floor)
        return m->stack[--m->top];
    bad(m, "the stack is empty");
    return &m->nothing;
}

static struct pickle_node *peek(struct machine *m)
{
    struct pickle_node *n = pop(m);
    if (!m->code)
        m->top++;
    return n;
}

static void set_mark(struct machine *m)
{
    if (grow(m, (void **)&m->mark, &m->mark_room, m->marks + 1, sizeof *m->mark))
        m->mark[m->marks++] = m->top;
}

/* The n nodes above the last mark, which both leave the stack; valid until the next push.  NULL when there is none. */
static struct pickle_node **pop_to_mark(struct machine *m, size_t *n)
{
    *n = 0;
    if (!m->marks) {
        bad(m, "there is no mark");
        return NULL;
    }
    size_t from = m->mark[--m->marks];
    *n = m->top - from;
    m->top = from;
    return *n ? m->stack + from : NULL;
}

static void memo_put(struct machine *m, uint64_t index)
{
    struct pickle_node *n = peek(m);
    /* A pickler numbers what it stores; a number beyond the count of opcodes only asks for memory. */
    if (index > m->operations) {
        fail(m, DDPM_EDATA, "memo index %llu after %zu operations", (unsigned long long)index, m->operations);
        return;
    }
    if (grow(m, (void **)&m->memo, &m->memo_room, (size_t)index + 1, sizeof *m->memo))
        m->memo[index] = n;
    m->memos++;
}

static void memo_get(struct machine *m, uint64_t index)
{
    if (index < m->memo_room && m->memo[index])
        push(m, m->memo[index]);
    else
        fail(m, DDPM_EDATA, "memo index %llu was never set", (unsigned long long)index);
}

/* ---- nodes ---- */

static struct pickle_node *make(struct machine *m, enum pickle_kind kind)
{
    struct pickle_node *n = dd_arena(m->arena, 1, sizeof *n);
    if (!n) {
        fail(m, DDPM_ENOMEM, "out of memory");
        n = &m->nothing;
    }
    n->kind = (unsigned char)kind;
    return n;
}

static void append(struct machine *m, struct pickle_node *to, struct pickle_node *const *item, size_t n)
{
    if (m->code || !n)
        return;
    if (n > to->room - to->count) {
        size_t more = to->count + n > 2 * (size_t)to->room ? to->count + n : 2 * (size_t)to->room;
        struct pickle_node **list = dd_arena(m->arena, more, sizeof *list);
        if (!list) {
            fail(m, DDPM_ENOMEM, "out of memory");
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

static void push_int(struct machine *m, int64_t v)
{
    struct pickle_node *n = make(m, PICKLE_INT);
    n->integer = v;
    push(m, n);
}

/* Two's complement, little-endian, of any length; what an int64 cannot hold stays a string of bytes. */
static void push_long(struct machine *m, uint64_t bytes)
{
    const unsigned char *b = take(m, bytes);
    uint64_t v = 0;
    if (!b)
        return;
    if (bytes > 8) {
        struct pickle_node *n = make(m, PICKLE_LONG);
        n->text = (const char *)b;
        n->count = (uint32_t)bytes;
        push(m, n);
        return;
    }
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)b[i] << 8 * i;
    if (bytes && bytes < 8 && b[bytes - 1] & 0x80)
        v |= ~(uint64_t)0 << 8 * bytes;
    push_int(m, (int64_t)v);
}

static void push_decimal(struct machine *m)
{
    size_t length;
    const char *s = take_line(m, &length);
    char text[24], *end;
    if (length == 2 && s[0] == '0' && (s[1] == '0' || s[1] == '1')) {
        push(m, m->truth[s[1] == '1']);
        return;
    }
    pickle_show(text, sizeof text, s, length);
    long long v = strtoll(text, &end, 10);
    if (!length || length > 19 || *end)
        bad(m, "this is no integer");
    push_int(m, v);
}

static void push_float(struct machine *m)
{
    const unsigned char *b = take(m, 8);
    uint64_t v = 0;
    for (int i = 0; b && i < 8; i++)
        v = v << 8 | b[i];
    struct pickle_node *n = make(m, PICKLE_FLOAT);
    memcpy(&n->number, &v, sizeof v);
    push(m, n);
}

static void push_text(struct machine *m, enum pickle_kind kind, uint64_t length)
{
    const unsigned char *b = take(m, length);
    struct pickle_node *n = make(m, kind);
    n->text = b ? (const char *)b : "";
    n->count = b ? (uint32_t)length : 0;
    push(m, n);
}

static void push_tuple(struct machine *m, size_t n)
{
    struct pickle_node *item[3] = { 0 }, *t = make(m, PICKLE_TUPLE);
    for (size_t i = n; i--;)
        item[i] = pop(m);
    append(m, t, item, n);
    push(m, t);
}

static void push_marked_tuple(struct machine *m)
{
    size_t n;
    struct pickle_node **item = pop_to_mark(m, &n), *t = make(m, PICKLE_TUPLE);
    append(m, t, item, n);
    push(m, t);
}

/* ---- what changes a container: n items onto a list, n keys and values into a dict; opaque ones swallow them ---- */

static void add(struct machine *m, enum pickle_kind kind, struct pickle_node *const *item, size_t n)
{
    struct pickle_node *to = peek(m);
    if (to->kind == PICKLE_OPAQUE)
        return;
    if (to->kind != kind)
        bad(m,
            kind == PICKLE_LIST ? "items are added to what is no list" : "keys are set in what is no dict");
    else if (kind == PICKLE_DICT && n % 2)
        bad(m, "a key without a value");
    else
        append(m, to, item, n);
}

static void add_popped(struct machine *m, enum pickle_kind kind, size_t n)
{
    struct pickle_node *item[2] = { 0 };
    for (size_t i = n; i--;)
        item[i] = pop(m);
    add(m, kind, item, n);
}

static void add_marked(struct machine *m, enum pickle_kind kind)
{
    size_t n;
    struct pickle_node **item = pop_to_mark(m, &n);
    add(m, kind, item, n);
}

/* ---- globals and calls ---- */

static void push_global(struct machine *m, const char *module, size_t module_length, const char *name,
                        size_t name_length)
{
    struct pickle_node *n = make(m, PICKLE_GLOBAL);
    ddpm_error why = { 0 };
    int code = m->code ? m->code : pickle_global(n, m->arena, module, module_length, name, name_length, &why);
    if (code)
        fail(m, code, "%s", why.text);
    else if (n->global == PICKLE_FOREIGN)
        pickle_note_foreign(m->p, n->text);
    push(m, n);
}

static void push_line_global(struct machine *m)
{
    size_t module_length, name_length;
    const char *module = take_line(m, &module_length), *name = take_line(m, &name_length);
    push_global(m, module, module_length, name, name_length);
}

static void push_stack_global(struct machine *m)
{
    struct pickle_node *name = pop(m), *module = pop(m);
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        bad(m, "a global whose name is no text");
    else
        push_global(m, module->text, module->count, name->text, name->count);
}

/* OrderedDict(): empty, or from a list of pairs, as Python 2 wrote it. */
static struct pickle_node *ordered_dict(struct machine *m, const struct pickle_node *arguments)
{
    struct pickle_node *d = make(m, PICKLE_DICT);
    const struct pickle_node *pairs = arguments->count ? arguments->item[0] : NULL;
    if (arguments->count > 1 || (pairs && pairs->kind != PICKLE_LIST))
        bad(m, "an OrderedDict of what is no list of pairs");
    for (size_t i = 0; !m->code && pairs && i < pairs->count; i++) {
        const struct pickle_node *pair = pairs->item[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->count != 2)
            bad(m, "an OrderedDict of what is no list of pairs");
        else
            append(m, d, pair->item, 2);
    }
    return d;
}

static void call(struct machine *m)
{
    struct pickle_node *arguments = pop(m), *callee = pop(m), *n;
    if (arguments->kind != PICKLE_TUPLE)
        bad(m, "a call whose arguments are no tuple");
    if (callee->kind != PICKLE_GLOBAL)
        bad(m, "a call of what is no global: refused, nothing was executed");
    if (m->code)
        return;
    switch (callee->global) {
    case PICKLE_ORDERED_DICT: n = ordered_dict(m, arguments); break;
    case PICKLE_SIZE:
        n = arguments->count == 1 && arguments->item[0]->kind == PICKLE_TUPLE ? arguments->item[0]
                                                                              : make(m, PICKLE_OPAQUE);
        break;
    case PICKLE_TENSOR_V1:
    case PICKLE_TENSOR_V2:
    case PICKLE_TENSOR_V3:
    case PICKLE_TENSOR_TYPED:
    case PICKLE_PARAMETER:
        n = make(m, PICKLE_CALL);
        append(m, n, (struct pickle_node *[]){ callee, arguments }, 2);
        break;
    default: n = make(m, PICKLE_OPAQUE); n->global = callee->global;
    }
    push(m, n);
}

static void push_persistent(struct machine *m)
{
    struct pickle_node *id = pop(m), *n = make(m, PICKLE_PERSISTENT);
    append(m, n, &id, 1);
    push(m, n);
    if (grow(m, (void **)&m->p->persistent, &m->persistent_room, m->p->persistents + 1,
             sizeof *m->p->persistent))
        m->p->persistent[m->p->persistents++] = n;
}

/* ---- the loop ---- */

static void pop_one(struct machine *m)
{
    if (m->marks && m->mark[m->marks - 1] == m->top)
        m->marks--;
    else
        pop(m);
}

static void protocol(struct machine *m)
{
    uint64_t version = take_uint(m, 1);
    if (version > 5)
        fail(m, DDPM_EDATA, "pickle protocol %d; 2 to 5 are known", (int)version);
}

static void unknown(struct machine *m, unsigned op)
{
    fail(m, DDPM_EDATA, "opcode 0x%02x ('%c') is none that a checkpoint needs: refused", op,
         op > 32 && op < 127 ? (int)op : '?');
}

static void operate(struct machine *m, unsigned op)
{
    size_t n;
    switch (op) {
    case 0x80: protocol(m); break;
    case 0x95: take_uint(m, 8); break; /* FRAME: only a hint for reading ahead */
    case 'N': push(m, m->none); break;
    case 0x88:
    case 0x89: push(m, m->truth[op == 0x88]); break;
    case 'K': push_int(m, (int64_t)take_uint(m, 1)); break;
    case 'M': push_int(m, (int64_t)take_uint(m, 2)); break;
    case 'J': push_int(m, (int32_t)(uint32_t)take_uint(m, 4)); break;
    case 0x8a: push_long(m, take_uint(m, 1)); break;
    case 0x8b: push_long(m, take_uint(m, 4)); break;
    case 'I': push_decimal(m); break;
    case 'G': push_float(m); break;
    case 'X':
    case 'T': push_text(m, PICKLE_TEXT, take_uint(m, 4)); break; /* Python 2 wrote names as byte strings */
    case 'U':
    case 0x8c: push_text(m, PICKLE_TEXT, take_uint(m, 1)); break;
    case 0x8d: push_text(m, PICKLE_TEXT, take_uint(m, 8)); break;
    case 'B': push_text(m, PICKLE_BYTES, take_uint(m, 4)); break;
    case 'C': push_text(m, PICKLE_BYTES, take_uint(m, 1)); break;
    case '(': set_mark(m); break;
    case '0': pop_one(m); break;
    case '1': pop_to_mark(m, &n); break;
    case '2': push(m, peek(m)); break;
    case ')': push_tuple(m, 0); break;
    case 0x85:
    case 0x86:
    case 0x87: push_tuple(m, op - 0x84); break;
    case 't': push_marked_tuple(m); break;
    case ']': push(m, make(m, PICKLE_LIST)); break;
    case '}': push(m, make(m, PICKLE_DICT)); break;
    case 0x8f: push(m, make(m, PICKLE_OPAQUE)); break; /* EMPTY_SET */
    case 0x91:
        pop_to_mark(m, &n);
        push(m, make(m, PICKLE_OPAQUE));
        break; /* FROZENSET */
    case 0x90:
        pop_to_mark(m, &n);
        peek(m);
        break; /* ADDITEMS */
    case 'a': add_popped(m, PICKLE_LIST, 1); break;
    case 's': add_popped(m, PICKLE_DICT, 2); break;
    case 'e': add_marked(m, PICKLE_LIST); break;
    case 'u': add_marked(m, PICKLE_DICT); break;
    case 'q': memo_put(m, take_uint(m, 1)); break;
    case 'r': memo_put(m, take_uint(m, 4)); break;
    case 0x94: memo_put(m, m->memos); break;
    case 'h': memo_get(m, take_uint(m, 1)); break;
    case 'j': memo_get(m, take_uint(m, 4)); break;
    case 'c': push_line_global(m); break;
    case 0x93: push_stack_global(m); break;
    case 'R':
    case 0x81: call(m); break;
    case 0x92:
        pop(m);
        call(m);
        break; /* NEWOBJ_EX: keywords are for what is opaque */
    case 'b':
        pop(m);
        peek(m);
        break; /* BUILD: on an OrderedDict it only sets _metadata */
    case 'Q': push_persistent(m); break;
    default: unknown(m, op);
    }
}

static void run(struct machine *m, size_t *used)
{
    while (!m->code) {
        m->start = m->at;
        const unsigned char *op = take(m, 1);
        if (op && *op == '.')
            break;
        if (op)
            operate(m, *op);
        m->operations++;
    }
    m->p->root = pop(m);
    *used = m->at;
    if (m->code == DDPM_OK && (m->top || m->marks))
        bad(m, "values are left behind at its end");
}

int pickle_read(struct pickle *p, struct dd_arena *arena, const unsigned char *data, size_t size,
                size_t *used, ddpm_error *err)
{
    struct machine m = { .p = p,
                         .arena = arena,
                         .data = data,
                         .size = size < PICKLE_BYTES_MAX ? size : PICKLE_BYTES_MAX,
                         .err = err };
    *p = (struct pickle){ 0 };
    m.none = make(&m, PICKLE_NONE);
    for (int i = 0; i < 2; i++) {
        m.truth[i] = make(&m, PICKLE_BOOL);
        m.truth[i]->integer = i;
    }
    run(&m, used);
    struct pickle_node **kept = m.code ? NULL : dd_arena(arena, p->persistents + 1, sizeof *kept);
    if (kept && p->persistents)
        memcpy(kept, p->persistent, p->persistents * sizeof *kept);
    else if (!kept)
        fail(&m, DDPM_ENOMEM, "out of memory");
    free(p->persistent);
    p->persistent = kept;
    free(m.stack);
    free(m.memo);
    free(m.mark);
    return m.code;
}
