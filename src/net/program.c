/* Builds the flat list of nodes: the functions with which builders append to it; see program.h. */
#include "net/program.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"

int dd_program_forward(const struct dd_program *p)
{
    int i = 0;
    while (i < p->nodes && !p->node[i].of)
        i++;
    return i;
}

/* Returns the list with one more entry, zeroed, at its end.  Without memory it sets p->failed and adds no
   entry; the caller then overwrites the last entry. */
static void *more(struct dd_program *p, void *list, int *count, size_t size)
{
    /* dd_program_init has added the first entries, so there always is a last one. */
    void *longer = *count ? dd_memory_more(list, (size_t)*count, size) : list;
    if (!longer) {
        p->failed = true;
        return list;
    }
    list = longer;

    memset((char *)list + (size_t)*count * size, 0, size);
    ++*count;
    return list;
}

const char *dd_program_name(struct dd_program *p, const char *format, ...)
{
    char text[256];
    va_list ap;
    va_start(ap, format);
    vsnprintf(text, sizeof text, format, ap);
    va_end(ap);

    /* Without memory the name is empty, so builders need not check it. */
    const char *name = dd_arena_text(&p->arena, "%s", text);
    if (!name)
        p->failed = true;
    return name ? name : "";
}

static int home(struct dd_program *p, int h, int w, int c)
{
    p->home = more(p, p->home, &p->homes, sizeof *p->home);
    p->home[p->homes - 1] = (struct dd_home){ h, w, c, DD_PLACE_BLOCK };
    return p->homes - 1;
}

int dd_program_value(struct dd_program *p, int h, int w, int c)
{
    int own = home(p, h, w, c);
    p->value = more(p, p->value, &p->values, sizeof *p->value);
    p->value[p->values - 1] = (struct dd_value){ h, w, c, own, 0 };
    return p->values - 1;
}

int dd_program_slice(struct dd_program *p, int value, int offset, int c)
{
    p->value = more(p, p->value, &p->values, sizeof *p->value);

    struct dd_value *part = &p->value[p->values - 1];
    *part = p->value[value];
    part->offset += offset;
    part->c = c;
    return p->values - 1;
}

int dd_program_param(struct dd_program *p, const char *name, enum dd_init init, int64_t fan_in, int rank,
                     const int64_t *dim)
{
    p->param = more(p, p->param, &p->params, sizeof *p->param);
    struct dd_param *a = &p->param[p->params - 1];
    *a = (struct dd_param){ .name = name, .rank = rank, .count = 1, .fan_in = fan_in, .init = init };

    for (int i = 0; i < rank; i++) {
        a->dim[i] = dim[i];
        a->count *= dim[i];
    }
    if (init != DD_INIT_FREQUENCY)
        p->parameters += a->count;
    return p->params - 1;
}

int dd_program_node(struct dd_program *p, struct dd_node n, int h, int w, int c)
{
    if (!n.y)
        n.y = dd_program_value(p, h, w, c);
    p->node = more(p, p->node, &p->nodes, sizeof *p->node);
    p->node[p->nodes - 1] = n;
    return p->nodes - 1;
}

void dd_program_give(struct dd_program *p, int node, int weight, int bias)
{
    p->part = more(p, p->part, &p->parts, sizeof *p->part);
    p->part[p->parts - 1] = (struct dd_part){ node, weight, bias };
    /* Parts of one node need not be neighbours in the list. */
    if (p->node[node].parts++ == 0)
        p->node[node].part = p->parts - 1;
}

const struct dd_part *dd_program_part(const struct dd_program *p, const struct dd_node *n)
{
    return n->parts ? &p->part[n->part] : NULL;
}

static int half_up(int size, int stride)
{
    return (size + stride - 1) / stride;
}

int dd_program_stack(struct dd_program *p, struct dd_node n)
{
    const struct dd_value *x = &p->value[n.x];
    n.op = DD_OP_CONV;
    if (!n.kernel)
        n.kernel = 1;
    if (!n.stride)
        n.stride = 1;
    if (n.scale == 0)
        n.scale = 1;

    return dd_program_node(p, n, half_up(x->h, n.stride), half_up(x->w, n.stride), 0);
}

int dd_program_rows(struct dd_program *p, int node, int rows, bool bias, const char *name)
{
    const struct dd_node *n = &p->node[node];
    int cin = p->value[n->x].c, y = n->y;
    int64_t dim[4] = { rows, cin, n->kernel, n->kernel }, fan_in = (int64_t)cin * n->kernel * n->kernel;

    const char *weight_name = dd_program_name(p, "%s.weight", name);
    int weight = dd_program_param(p, weight_name, DD_INIT_UNIFORM, fan_in, n->linear ? 2 : 4, dim);
    int its_bias = -1;
    if (bias)
        its_bias = dd_program_param(p, dd_program_name(p, "%s.bias", name), DD_INIT_UNIFORM, fan_in, 1, dim);
    dd_program_give(p, node, weight, its_bias);

    /* The output and its home grow by these rows. */
    int part = dd_program_slice(p, y, p->value[y].c, rows);
    p->value[y].c += rows;
    p->home[p->value[y].home].c += rows;
    return part;
}

int dd_program_conv(struct dd_program *p, int rows, struct dd_node n)
{
    int node = dd_program_stack(p, n);
    dd_program_rows(p, node, rows, true, n.name);
    return p->node[node].y;
}

int dd_program_norm(struct dd_program *p, const char *name, int x, int groups, double eps, int emb)
{
    struct dd_node norm = {
        .op = DD_OP_NORM,
        .name = name,
        .x = x,
        .groups = groups,
        .eps = eps,
        .emb = emb,
    };
    int64_t c = p->value[x].c;
    int node = dd_program_node(p, norm, 1, 1, 2 * (int)c);

    int gamma = dd_program_param(p, dd_program_name(p, "%s.weight", name), DD_INIT_ONE, 0, 1, &c);
    int beta = dd_program_param(p, dd_program_name(p, "%s.bias", name), DD_INIT_ZERO, 0, 1, &c);
    dd_program_give(p, node, gamma, beta);
    return p->node[node].y;
}

void dd_program_dropout(struct dd_program *p, const char *name, struct dd_node *n, double probability)
{
    struct dd_value v = p->value[n->x];
    if (p->derivatives != DD_BY_PARAMETERS || probability == 0)
        return;

    struct dd_node drop = {
        .op = DD_OP_DROPOUT,
        .name = name,
        .x = n->x,
        .norm = n->norm,
        .pre = n->pre,
        .p = probability,
    };
    /* If nothing is applied to x, dropout works in place. */
    if (!n->norm && n->pre == DD_ACT_NONE)
        drop.y = n->x;
    int node = dd_program_node(p, drop, v.h, v.w, v.c);

    n->x = p->node[node].y;
    n->norm = 0;
    n->pre = DD_ACT_NONE;
}

int dd_program_resample(struct dd_program *p, enum dd_op op, const char *name, int x, int norm,
                        enum dd_act pre)
{
    struct dd_value v = p->value[x];
    struct dd_node n = { .op = op, .name = name, .x = x, .norm = norm, .pre = pre };
    int node;
    if (op == DD_OP_UPSAMPLE)
        node = dd_program_node(p, n, 2 * v.h, 2 * v.w, v.c);
    else
        node = dd_program_node(p, n, v.h / 2, v.w / 2, op == DD_OP_UNSHUFFLE ? 4 * v.c : v.c);
    return p->node[node].y;
}

/* Moves a value to another home.  It is copied there if its own home is shared or belongs to the caller. */
static void place(struct dd_program *p, int value, int into, int offset)
{
    const struct dd_value *v = &p->value[value];
    const struct dd_home *own = &p->home[v->home];
    if (own->c != v->c || own->place != DD_PLACE_BLOCK) {
        struct dd_node copy = { .op = DD_OP_COPY, .name = dd_program_name(p, "join"), .x = value, .a = 1 };
        int node = dd_program_node(p, copy, v->h, v->w, v->c);
        value = p->node[node].y;
    }

    p->value[value].home = into;
    p->value[value].offset = offset;
}

int dd_program_join(struct dd_program *p, int a, int b)
{
    struct dd_value va = p->value[a], vb = p->value[b];
    int both = dd_program_value(p, va.h, va.w, va.c + vb.c), into = p->value[both].home;

    place(p, a, into, 0);
    place(p, b, into, va.c);
    return both;
}

struct dd_conv_shape dd_program_shape(const struct dd_program *p, const struct dd_node *n)
{
    const struct dd_value *x = &p->value[n->x];
    int pad = (n->kernel - 1) / 2, before = n->right ? 0 : pad;

    return (struct dd_conv_shape){
        .h = x->h,
        .w = x->w,
        .cin = x->c,
        .cout = p->value[n->y].c,
        .kernel = n->kernel,
        .stride = n->stride,
        .top = before,
        .left = before,
        .bottom = pad,
        .right = pad,
        .doubled = n->doubled,
    };
}

int dd_program_init(struct dd_program *p, enum dd_derivatives derivatives)
{
    memset(p, 0, sizeof *p);
    p->derivatives = derivatives;
    p->training = derivatives != DD_NO_DERIVATIVES;

    p->param = dd_memory_more(NULL, 0, sizeof *p->param);
    p->home = dd_memory_more(NULL, 0, sizeof *p->home);
    p->value = dd_memory_more(NULL, 0, sizeof *p->value);
    p->part = dd_memory_more(NULL, 0, sizeof *p->part);
    p->node = dd_memory_more(NULL, 0, sizeof *p->node);
    if (!p->param || !p->home || !p->value || !p->part || !p->node)
        return DDPM_ENOMEM;

    /* Value 0 is no value. */
    dd_program_value(p, 0, 0, 0);
    return DDPM_OK;
}

void dd_program_free(struct dd_program *p)
{
    free(p->param);
    free(p->home);
    free(p->value);
    free(p->part);
    free(p->node);
    dd_arena_free(&p->arena);
    memset(p, 0, sizeof *p);
}
