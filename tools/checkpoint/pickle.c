/* Reads a pickle (pickle.h): the opcodes, and the values that they make.  pickle_stack.c has the stack.

   A pickle is a program for a stack machine (PEP 307 and 3154; CPython's Lib/pickletools.py describes each
   opcode).  Every opcode is one byte, followed by its argument: an integer, a length and as many bytes, or a
   line.  Numbers are little-endian but for BINFLOAT.  The value left on the stack at STOP is the result. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/pickle_stack.h"

/* The opcodes that files of torch.save contain, with their names in pickletools.  All others are refused. */
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

/* ---- values ---- */

static void push_int(struct pickle_machine *m, int64_t v)
{
    struct pickle_node *n = pickle_make(m, PICKLE_INT);
    n->integer = v;
    pickle_push(m, n);
}

/* Pushes a little-endian integer of any length, in two's complement.  An integer that does not fit into
   int64_t stays a string of bytes. */
static void push_long(struct pickle_machine *m, uint64_t bytes)
{
    const unsigned char *b = pickle_take(m, bytes);
    uint64_t v = 0;
    if (!b)
        return;

    if (bytes > 8) {
        struct pickle_node *n = pickle_make(m, PICKLE_LONG);
        n->text = (const char *)b;
        n->count = (uint32_t)bytes;
        pickle_push(m, n);
        return;
    }

    /* The highest bit of the last byte is the sign, which is extended to 64 bits. */
    for (unsigned i = 0; i < bytes; i++)
        v |= (uint64_t)b[i] << 8 * i;
    if (bytes && bytes < 8 && b[bytes - 1] & 0x80)
        v |= ~(uint64_t)0 << 8 * bytes;
    push_int(m, (int64_t)v);
}

/* Pushes a number written in decimal digits; "00" and "01" are False and True. */
static void push_decimal(struct pickle_machine *m)
{
    struct pickle_span line = pickle_take_line(m);
    if (line.length == 2 && line.text[0] == '0' && (line.text[1] == '0' || line.text[1] == '1')) {
        pickle_push(m, m->truth[line.text[1] == '1']);
        return;
    }

    /* The text is copied, because the line does not end in a zero byte.  19 characters cannot overflow. */
    char text[24], *end;
    pickle_show(text, sizeof text, line.text, line.length);
    long long v = strtoll(text, &end, 10);
    if (!line.length || line.length > 19 || *end)
        pickle_bad(m, "this is no integer");
    push_int(m, v);
}

/* Pushes a double, the only big-endian number of a pickle. */
static void push_float(struct pickle_machine *m)
{
    const unsigned char *b = pickle_take(m, 8);
    uint64_t v = 0;
    for (int i = 0; b && i < 8; i++)
        v = v << 8 | b[i];

    struct pickle_node *n = pickle_make(m, PICKLE_FLOAT);
    memcpy(&n->number, &v, sizeof v);
    pickle_push(m, n);
}

/* Pushes a text or bytes.  The node points into the pickle and has no copy. */
static void push_text(struct pickle_machine *m, enum pickle_kind kind, uint64_t length)
{
    const unsigned char *b = pickle_take(m, length);
    struct pickle_node *n = pickle_make(m, kind);
    n->text = b ? (const char *)b : "";
    n->count = b ? (uint32_t)length : 0;
    pickle_push(m, n);
}

/* Returns a node for a value that no tensor needs: a set, or an object of this class. */
static struct pickle_node *opaque(struct pickle_machine *m, unsigned char global)
{
    struct pickle_node *n = pickle_make(m, PICKLE_OPAQUE);
    n->global = global;
    return n;
}

/* ---- containers ---- */

/* Pushes a tuple of the n values on top of the stack. */
static void push_tuple(struct pickle_machine *m, size_t n)
{
    /* The last item of the tuple is on top of the stack. */
    struct pickle_node *item[3] = { 0 }, *t = pickle_make(m, PICKLE_TUPLE);
    for (size_t i = n; i--;)
        item[i] = pickle_pop(m);
    pickle_append(m, t, item, n);
    pickle_push(m, t);
}

static void push_marked_tuple(struct pickle_machine *m)
{
    size_t n;
    struct pickle_node **item = pickle_pop_to_mark(m, &n), *t = pickle_make(m, PICKLE_TUPLE);
    pickle_append(m, t, item, n);
    pickle_push(m, t);
}

/* Adds n items to the list, or n keys and values in turn to the dict, on top of the stack.  An opaque
   object drops them. */
static void add(struct pickle_machine *m, enum pickle_kind kind, struct pickle_node *const *item, size_t n)
{
    struct pickle_node *to = pickle_peek(m);
    if (to->kind == PICKLE_OPAQUE)
        return;
    if (to->kind != kind && kind == PICKLE_LIST)
        pickle_bad(m, "items are added to what is no list");
    else if (to->kind != kind)
        pickle_bad(m, "keys are set in what is no dict");
    else if (kind == PICKLE_DICT && n % 2)
        pickle_bad(m, "a key without a value");
    else
        pickle_append(m, to, item, n);
}

static void add_popped(struct pickle_machine *m, enum pickle_kind kind, size_t n)
{
    struct pickle_node *item[2] = { 0 };
    for (size_t i = n; i--;)
        item[i] = pickle_pop(m);
    add(m, kind, item, n);
}

static void add_marked(struct pickle_machine *m, enum pickle_kind kind)
{
    size_t n;
    struct pickle_node **item = pickle_pop_to_mark(m, &n);
    add(m, kind, item, n);
}

/* ---- globals and calls ---- */

/* Pushes the node of a global, if a pickle may name it. */
static void push_global(struct pickle_machine *m, struct pickle_span module, struct pickle_span name)
{
    struct pickle_node *n = pickle_make(m, PICKLE_GLOBAL);
    ddpm_error why = { 0 };
    if (m->code)
        return;

    int code = pickle_global(n, m->arena, module, name, &why);
    if (code)
        pickle_fail(m, code, "%s", why.text);
    else if (n->global == PICKLE_FOREIGN)
        pickle_note_foreign(m->p, n->text);
    pickle_push(m, n);
}

static void push_line_global(struct pickle_machine *m)
{
    struct pickle_span module = pickle_take_line(m), name = pickle_take_line(m);
    push_global(m, module, name);
}

static void push_stack_global(struct pickle_machine *m)
{
    struct pickle_node *name = pickle_pop(m), *module = pickle_pop(m);
    if (name->kind != PICKLE_TEXT || module->kind != PICKLE_TEXT)
        pickle_bad(m, "a global whose name is no text");
    else
        push_global(m, (struct pickle_span){ module->text, module->count },
                    (struct pickle_span){ name->text, name->count });
}

/* Returns OrderedDict(arguments): empty, or made from a list of pairs, as Python 2 wrote it. */
static struct pickle_node *ordered_dict(struct pickle_machine *m, const struct pickle_node *arguments)
{
    struct pickle_node *d = pickle_make(m, PICKLE_DICT);
    const struct pickle_node *pairs = arguments->count ? arguments->item[0] : NULL;
    if (arguments->count > 1 || (pairs && pairs->kind != PICKLE_LIST))
        pickle_bad(m, "an OrderedDict of what is no list of pairs");

    for (size_t i = 0; !m->code && pairs && i < pairs->count; i++) {
        const struct pickle_node *pair = pairs->item[i];
        if ((pair->kind != PICKLE_LIST && pair->kind != PICKLE_TUPLE) || pair->count != 2)
            pickle_bad(m, "an OrderedDict of what is no list of pairs");
        else
            pickle_append(m, d, pair->item, 2);
    }
    return d;
}

/* Pushes the result of a call, without calling anything.  A dict or a size is built here, a function that
   makes a tensor stays as a node with its arguments, and every other call becomes an opaque node. */
static void call(struct pickle_machine *m)
{
    struct pickle_node *arguments = pickle_pop(m), *callee = pickle_pop(m), *n;
    if (arguments->kind != PICKLE_TUPLE)
        pickle_bad(m, "a call whose arguments are no tuple");
    if (callee->kind != PICKLE_GLOBAL)
        pickle_bad(m, "a call of what is no global: refused, nothing was executed");
    if (m->code)
        return;

    switch (callee->global) {
    case PICKLE_ORDERED_DICT: n = ordered_dict(m, arguments); break;
    case PICKLE_SIZE: /* torch.Size(tuple) is that tuple */
        if (arguments->count == 1 && arguments->item[0]->kind == PICKLE_TUPLE)
            n = arguments->item[0];
        else
            n = opaque(m, PICKLE_SIZE);
        break;
    case PICKLE_TENSOR_V1:
    case PICKLE_TENSOR_V2:
    case PICKLE_TENSOR_V3:
    case PICKLE_TENSOR_TYPED:
    case PICKLE_PARAMETER:
        n = pickle_make(m, PICKLE_CALL);
        pickle_append(m, n, (struct pickle_node *[]){ callee, arguments }, 2);
        break;
    default: n = opaque(m, callee->global);
    }

    pickle_push(m, n);
}

/* Pushes a node for a value outside of the pickle, and lists it.  torch refers in this way to the numbers
   of tensors. */
static void push_persistent(struct pickle_machine *m)
{
    struct pickle_node *id = pickle_pop(m), *n = pickle_make(m, PICKLE_PERSISTENT);
    pickle_append(m, n, &id, 1);
    pickle_push(m, n);

    pickle_list_add(m, &m->p->persistent, &m->p->persistents, n);
}

/* ---- opcodes ---- */

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

    case OP_BININT1: push_int(m, (int64_t)pickle_take_uint(m, 1)); break;
    case OP_BININT2: push_int(m, (int64_t)pickle_take_uint(m, 2)); break;
    case OP_BININT: push_int(m, (int32_t)(uint32_t)pickle_take_uint(m, 4)); break;
    case OP_LONG1: push_long(m, pickle_take_uint(m, 1)); break;
    case OP_LONG4: push_long(m, pickle_take_uint(m, 4)); break;
    case OP_INT: push_decimal(m); break;
    case OP_BINFLOAT: push_float(m); break;

    case OP_SHORT_BINUNICODE:
    case OP_SHORT_BINSTRING: push_text(m, PICKLE_TEXT, pickle_take_uint(m, 1)); break;
    case OP_BINUNICODE:
    case OP_BINSTRING: push_text(m, PICKLE_TEXT, pickle_take_uint(m, 4)); break;
    case OP_BINUNICODE8: push_text(m, PICKLE_TEXT, pickle_take_uint(m, 8)); break;
    case OP_SHORT_BINBYTES: push_text(m, PICKLE_BYTES, pickle_take_uint(m, 1)); break;
    case OP_BINBYTES: push_text(m, PICKLE_BYTES, pickle_take_uint(m, 4)); break;
    default: return 0;
    }
    return 1;
}

/* Makes a container, or adds to one. */
static int build_container(struct pickle_machine *m, unsigned op)
{
    switch (op) {
    case OP_EMPTY_TUPLE: push_tuple(m, 0); break;
    case OP_TUPLE1:
    case OP_TUPLE2:
    case OP_TUPLE3: push_tuple(m, op - OP_TUPLE1 + 1); break;
    case OP_TUPLE: push_marked_tuple(m); break;

    case OP_EMPTY_LIST: pickle_push(m, pickle_make(m, PICKLE_LIST)); break;
    case OP_APPEND: add_popped(m, PICKLE_LIST, 1); break;
    case OP_APPENDS: add_marked(m, PICKLE_LIST); break;

    case OP_EMPTY_DICT: pickle_push(m, pickle_make(m, PICKLE_DICT)); break;
    case OP_SETITEM: add_popped(m, PICKLE_DICT, 2); break;
    case OP_SETITEMS: add_marked(m, PICKLE_DICT); break;

    /* No tensor needs a set. */
    case OP_EMPTY_SET: pickle_push(m, opaque(m, PICKLE_OTHER)); break;
    case OP_ADDITEMS:
        drop_marked(m);
        pickle_peek(m);
        break;
    case OP_FROZENSET:
        drop_marked(m);
        pickle_push(m, opaque(m, PICKLE_OTHER));
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
    case OP_GLOBAL: push_line_global(m); break;
    case OP_STACK_GLOBAL: push_stack_global(m); break;
    case OP_REDUCE:
    case OP_NEWOBJ: call(m); break;
    case OP_NEWOBJ_EX: /* its keyword arguments are dropped: only opaque objects have them */
        pickle_pop(m);
        call(m);
        break;
    case OP_BUILD: /* the state is dropped: OrderedDict has _metadata there, other objects are opaque */
        pickle_pop(m);
        pickle_peek(m);
        break;
    case OP_BINPERSID: push_persistent(m); break;
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

    /* The list of persistent ids grew by realloc.  It moves to the arena, where it lives as long as the
       nodes. */
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
