/* Reads a pickle (pickle.h): the opcodes and their loop.  pickle_stack.c has the stack,
   pickle_values.c the values that opcodes make.

   A pickle is a program for a stack machine (PEP 307 and 3154; CPython's Lib/pickletools.py
   describes each opcode).  Every opcode is one byte, followed by its argument: an integer, a
   length and as many bytes, or a line.  Numbers are little-endian but for BINFLOAT.  The value
   left on the stack at STOP is the result. */
#include "checkpoint/pickle_values.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

/* The opcodes that files of torch.save contain, with their names in pickletools.  All others are
   refused. */
enum opcode {
    OP_PROTO = 0x80,
    OP_FRAME = 0x95,
    OP_STOP = '.',

    /* Values.  The STRING opcodes are from Python 2, which wrote names as byte strings. */
    OP_NONE = 'N',
    OP_NEWTRUE = 0x88,
    OP_NEWFALSE = 0x89,
    OP_BININT1 = 'K',
    OP_BININT2 = 'M',
    OP_BININT = 'J',
    OP_LONG1 = 0x8a,
    OP_LONG4 = 0x8b,
    OP_INT = 'I',
    OP_BINFLOAT = 'G',
    OP_BINUNICODE = 'X',
    OP_SHORT_BINUNICODE = 0x8c,
    OP_BINUNICODE8 = 0x8d,
    OP_BINSTRING = 'T',
    OP_SHORT_BINSTRING = 'U',
    OP_BINBYTES = 'B',
    OP_SHORT_BINBYTES = 'C',

    /* Containers. */
    OP_EMPTY_TUPLE = ')',
    OP_TUPLE1 = 0x85,
    OP_TUPLE2 = 0x86,
    OP_TUPLE3 = 0x87,
    OP_TUPLE = 't',
    OP_EMPTY_LIST = ']',
    OP_APPEND = 'a',
    OP_APPENDS = 'e',
    OP_EMPTY_DICT = '}',
    OP_SETITEM = 's',
    OP_SETITEMS = 'u',
    OP_EMPTY_SET = 0x8f,
    OP_ADDITEMS = 0x90,
    OP_FROZENSET = 0x91,

    /* Stack and memo. */
    OP_MARK = '(',
    OP_POP = '0',
    OP_POP_MARK = '1',
    OP_DUP = '2',
    OP_BINPUT = 'q',
    OP_LONG_BINPUT = 'r',
    OP_MEMOIZE = 0x94,
    OP_BINGET = 'h',
    OP_LONG_BINGET = 'j',

    /* Globals, calls of globals, and objects. */
    OP_GLOBAL = 'c',
    OP_STACK_GLOBAL = 0x93,
    OP_REDUCE = 'R',
    OP_NEWOBJ = 0x81,
    OP_NEWOBJ_EX = 0x92,
    OP_BUILD = 'b',
    OP_BINPERSID = 'Q'
};

/* Executes POP, which removes a mark when no value lies above it. */
static void pop_one(struct pickle_machine *m)
{
    if (m->marks && m->mark[m->marks - 1] == m->top)
        m->marks--;
    else
        pickle_pop(m);
}

static void drop_marked(struct pickle_machine *m)
{
    size_t n;
    pickle_pop_to_mark(m, &n);
}

static void check_protocol(struct pickle_machine *m)
{
    uint64_t version = pickle_take_uint(m, 1);
    if (version > 5)
        pickle_fail(m, DDPM_EDATA, "pickle protocol %d; 2 to 5 are known", (int)version);
}

/* Each of the next four functions executes an opcode of its kind and returns 1; 0: the opcode is of
   another kind. */

/* Pushes a value that follows the opcode or is the opcode itself. */
static int push_value(struct pickle_machine *m, unsigned op)
{
    switch (op) {
    case OP_NONE: pickle_push(m, m->none); break;
    case OP_NEWTRUE: pickle_push(m, m->truth[1]); break;
    case OP_NEWFALSE: pickle_push(m, m->truth[0]); break;

    case OP_BININT1: pickle_push_int(m, (int64_t)pickle_take_uint(m, 1)); break;
    case OP_BININT2: pickle_push_int(m, (int64_t)pickle_take_uint(m, 2)); break;
    case OP_BININT: pickle_push_int(m, (int32_t)(uint32_t)pickle_take_uint(m, 4)); break;
    case OP_LONG1: pickle_push_long(m, pickle_take_uint(m, 1)); break;
    case OP_LONG4: pickle_push_long(m, pickle_take_uint(m, 4)); break;
    case OP_INT: pickle_push_decimal(m); break;
    case OP_BINFLOAT: pickle_push_float(m); break;

    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING: pickle_push_text(m, PICKLE_TEXT, pickle_take_uint(m, 1)); break;
    case OP_BINUNICODE:
    case OP_BINSTRING: pickle_push_text(m, PICKLE_TEXT, pickle_take_uint(m, 4)); break;
    case OP_BINUNICODE8: pickle_push_text(m, PICKLE_TEXT, pickle_take_uint(m, 8)); break;
    case OP_SHORT_BINBYTES: pickle_push_text(m, PICKLE_BYTES, pickle_take_uint(m, 1)); break;
    case OP_BINBYTES: pickle_push_text(m, PICKLE_BYTES, pickle_take_uint(m, 4)); break;
    default: return 0;
    }
    return 1;
}

/* Makes a container, or adds to one. */
static int build_container(struct pickle_machine *m, unsigned op)
{
    switch (op) {
    case OP_EMPTY_TUPLE: pickle_push_tuple(m, 0); break;
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3: pickle_push_tuple(m, op - OP_TUPLE1 + 1); break;
    case OP_TUPLE: pickle_push_marked_tuple(m); break;

    case OP_EMPTY_LIST: pickle_push(m, pickle_make(m, PICKLE_LIST)); break;
    case OP_APPEND: pickle_add_popped(m, PICKLE_LIST, 1); break;
    case OP_APPENDS: pickle_add_marked(m, PICKLE_LIST); break;

    case OP_EMPTY_DICT: pickle_push(m, pickle_make(m, PICKLE_DICT)); break;
    case OP_SETITEM: pickle_add_popped(m, PICKLE_DICT, 2); break;
    case OP_SETITEMS: pickle_add_marked(m, PICKLE_DICT); break;

    /* No tensor needs a set. */
    case OP_EMPTY_SET: pickle_push(m, pickle_opaque(m, PICKLE_OTHER)); break;
    case OP_ADDITEMS:
        drop_marked(m);
        pickle_peek(m);
        break;
    case OP_FROZENSET:
        drop_marked(m);
        pickle_push(m, pickle_opaque(m, PICKLE_OTHER));
        break;
    default: return 0;
    }
    return 1;
}

/* Moves values on the stack, and between it and the memo. */
static int arrange(struct pickle_machine *m, unsigned op)
{
    switch (op) {
    case OP_MARK: pickle_set_mark(m); break;
    case OP_POP: pop_one(m); break;
    case OP_POP_MARK: drop_marked(m); break;
    case OP_DUP: pickle_push(m, pickle_peek(m)); break;
    case OP_BINPUT: pickle_memo_put(m, pickle_take_uint(m, 1)); break;
    case OP_LONG_BINPUT: pickle_memo_put(m, pickle_take_uint(m, 4)); break;
    case OP_MEMOIZE: pickle_memo_put(m, m->memos); break;
    case OP_BINGET: pickle_memo_get(m, pickle_take_uint(m, 1)); break;
    case OP_LONG_BINGET: pickle_memo_get(m, pickle_take_uint(m, 4)); break;
    default: return 0;
    }
    return 1;
}

/* Names a global, calls one, or refers to a storage. */
static int build_object(struct pickle_machine *m, unsigned op)
{
    switch (op) {
    case OP_GLOBAL: pickle_push_line_global(m); break;
    case OP_STACK_GLOBAL: pickle_push_stack_global(m); break;
    case OP_REDUCE:
    case OP_NEWOBJ: pickle_call(m); break;
    case OP_NEWOBJ_EX: /* its keyword arguments are dropped: only opaque objects have them */
        pickle_pop(m);
        pickle_call(m);
        break;
    case OP_BUILD: /* the state is dropped: OrderedDict has _metadata there, other objects are opaque */
        pickle_pop(m);
        pickle_peek(m);
        break;
    case OP_BINPERSID: pickle_push_persistent(m); break;
    default: return 0;
    }
    return 1;
}

static void operate(struct pickle_machine *m, unsigned op)
{
    if (op == OP_PROTO)
        check_protocol(m);
    else if (op == OP_FRAME) /* the length of a frame is only a hint for reading ahead */
        pickle_take_uint(m, 8);
    else if (!push_value(m, op) && !build_container(m, op) && !arrange(m, op) && !build_object(m, op))
        pickle_fail(m, DDPM_EDATA, "opcode 0x%02x ('%c') is none that a checkpoint needs: refused", op,
                    op > 32 && op < 127 ? (int)op : '?');
}

/* ---- the loop ---- */

/* Reads opcodes up to STOP, which leaves one value on the stack. */
static void run(struct pickle_machine *m, size_t *used)
{
    while (!m->code) {
        m->start = m->at;
        const unsigned char *op = pickle_take(m, 1);
        if (op && *op == OP_STOP)
            break;
        if (op)
            operate(m, *op);
        m->operations++;
    }

    m->p->root = pickle_pop(m);
    *used = m->at;
    if (m->code == DDPM_OK && (m->top || m->marks))
        pickle_bad(m, "values are left behind at its end");
}

int pickle_read(struct pickle *p, struct dd_arena *arena, const unsigned char *data, size_t size,
                size_t *used, ddpm_error *err)
{
    struct pickle_machine m = { .p = p,
                                .arena = arena,
                                .data = data,
                                .size = size < PICKLE_BYTES_MAX ? size : PICKLE_BYTES_MAX,
                                .err = err };
    *p = (struct pickle){ 0 };

    m.none = pickle_make(&m, PICKLE_NONE);
    for (int i = 0; i < 2; i++) {
        m.truth[i] = pickle_make(&m, PICKLE_BOOL);
        m.truth[i]->integer = i;
    }
    run(&m, used);

    /* The list of persistent ids grew by realloc.  It moves to the arena, where it lives as long
       as the nodes. */
    struct pickle_node **kept = m.code ? NULL : dd_arena(arena, p->persistents + 1, sizeof *kept);
    if (kept && p->persistents)
        memcpy(kept, p->persistent, p->persistents * sizeof *kept);
    else if (!kept)
        pickle_fail(&m, DDPM_ENOMEM, "out of memory");
    free(p->persistent);
    p->persistent = kept;

    free(m.stack);
    free(m.memo);
    free(m.mark);
    return m.code;
}
