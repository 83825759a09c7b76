/* The values that opcodes of a pickle make (pickle_values.h).  Python's names of the opcodes are
   in pickle.c. */
#include "checkpoint/pickle_values.h"
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

/* ---- values ---- */

void pickle_push_int(struct pickle_machine *m, int64_t v)
{
    struct pickle_node *n = pickle_make(m, PICKLE_INT);
    n->integer = v;
    pickle_push(m, n);
}

void pickle_push_long(struct pickle_machine *m, uint64_t bytes)
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
    pickle_push_int(m, (int64_t)v);
}

void pickle_push_decimal(struct pickle_machine *m)
{
    struct pickle_span line = pickle_take_line(m);
    if (line.length == 2 && line.text[0] == '0' && (line.text[1] == '0' || line.text[1] == '1')) {
        pickle_push(m, m->truth[line.text[1] == '1']);
        return;
    }

    /* The text is copied, because the line does not end in a zero byte.  19 characters cannot
       overflow. */
    char text[24], *end;
    pickle_show(text, sizeof text, line.text, line.length);
    long long v = strtoll(text, &end, 10);
    if (!line.length || line.length > 19 || *end)
        pickle_bad(m, "this is no integer");
    pickle_push_int(m, v);
}

void pickle_push_float(struct pickle_machine *m)
{
    const unsigned char *b = pickle_take(m, 8);
    uint64_t v = 0;
    for (int i = 0; b && i < 8; i++)
        v = v << 8 | b[i];

    struct pickle_node *n = pickle_make(m, PICKLE_FLOAT);
    memcpy(&n->number, &v, sizeof v);
    pickle_push(m, n);
}

void pickle_push_text(struct pickle_machine *m, enum pickle_kind kind, uint64_t length)
{
    const unsigned char *b = pickle_take(m, length);
    struct pickle_node *n = pickle_make(m, kind);
    n->text = b ? (const char *)b : "";
    n->count = b ? (uint32_t)length : 0;
    pickle_push(m, n);
}

struct pickle_node *pickle_opaque(struct pickle_machine *m, unsigned char global)
{
    struct pickle_node *n = pickle_make(m, PICKLE_OPAQUE);
    n->global = global;
    return n;
}

/* ---- containers ---- */

void pickle_push_tuple(struct pickle_machine *m, size_t n)
{
    /* The last item of the tuple is on top of the stack. */
    struct pickle_node *item[3] = { 0 }, *t = pickle_make(m, PICKLE_TUPLE);
    for (size_t i = n; i--;)
        item[i] = pickle_pop(m);
    pickle_append(m, t, item, n);
    pickle_push(m, t);
}

void pickle_push_marked_tuple(struct pickle_machine *m)
{
    size_t n;
    struct pickle_node **item = pickle_pop_to_mark(m, &n), *t = pickle_make(m, PICKLE_TUPLE);
    pickle_append(m, t, item, n);
    pickle_push(m, t);
}

/* Adds n items to the list, or n keys and values in turn to the dict, on top of the stack.  An
   opaque object drops them. */
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

void pickle_add_popped(struct pickle_machine *m, enum pickle_kind kind, size_t n)
{
    struct pickle_node *item[2] = { 0 };
    for (size_t i = n; i--;)
        item[i] = pickle_pop(m);
    add(m, kind, item, n);
}

void pickle_add_marked(struct pickle_machine *m, enum pickle_kind kind)
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

void pickle_push_line_global(struct pickle_machine *m)
{
    struct pickle_span module = pickle_take_line(m), name = pickle_take_line(m);
    push_global(m, module, name);
}

void pickle_push_stack_global(struct pickle_machine *m)
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

void pickle_call(struct pickle_machine *m)
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
            n = pickle_opaque(m, PICKLE_SIZE);
        break;
    case PICKLE_TENSOR_V1:
    case PICKLE_TENSOR_V2:
    case PICKLE_TENSOR_V3:
    case PICKLE_TENSOR_TYPED:
    case PICKLE_PARAMETER:
        n = pickle_make(m, PICKLE_CALL);
        pickle_append(m, n, (struct pickle_node *[]){ callee, arguments }, 2);
        break;
    default: n = pickle_opaque(m, callee->global);
    }

    pickle_push(m, n);
}

void pickle_push_persistent(struct pickle_machine *m)
{
    struct pickle_node *id = pickle_pop(m), *n = pickle_make(m, PICKLE_PERSISTENT);
    pickle_append(m, n, &id, 1);
    pickle_push(m, n);

    pickle_list_add(m, &m->p->persistent, &m->p->persistents, n);
}
