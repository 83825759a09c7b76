/* Differentiates a program in reverse mode (Linnainmaa 1970).  It walks the forward nodes from the last to
   the first and appends a backward node for each one through which a gradient flows.

   Every home has a twin of the same shape for the gradients by its values.  A value v of the forward pass
   therefore has its gradient in value v + (number of forward values), at the same channels.  The gradient
   of a concatenation is one map that holds the gradients of its halves.  When several nodes read a value,
   the last of them in forward order writes its gradient first and overwrites; the others add.

   The memory plan keeps a forward value only as long as a backward node names it.  The backward pass keeps
   the mean and 1 / std of a group norm, behind its scale and shift.  It recomputes

     activation functions:  their derivative needs their input, which is kept
     attention:             the softmax
     dropout:               the masks

   With DD_BY_PARAMETERS no gradient goes into the sinusoids of the timestep, because no parameters lie before
   them.  With DD_BY_INPUTS the sinusoids' backward node gives the gradient by t, and no convolution keeps its
   x for the gradient by its weights. */
#include <stdlib.h>
#include "net/operation.h"

struct pass {
    struct dd_program *p;
    int values, homes;      /* how many values and homes the forward pass has */
    int constant;           /* the home that no gradient goes into, or -1 */
    size_t *first;          /* [homes] the index in `written` of a home's first channel */
    unsigned char *written; /* written[first[h] + c]: channel c of home h has a gradient already */
    const char *partial;    /* the name of a node where a gradient is missing in whole or in part, or NULL */
};

static enum dd_place twin_place(enum dd_place place)
{
    switch (place) {
    case DD_PLACE_INPUT: return DD_PLACE_INPUT_GRADIENT;
    case DD_PLACE_OUTPUT: return DD_PLACE_OUTPUT_GRADIENT;
    default: return place;
    }
}

/* Adds the twin of every home and of every value.  dd_program_value adds a home to each value, hence enough
   homes; the shapes are copied afterwards. */
static void mirror(struct pass *s)
{
    struct dd_program *p = s->p;
    for (int i = 0; i < s->values; i++)
        dd_program_value(p, 0, 0, 0);
    if (p->failed)
        return;

    for (int i = 0; i < s->homes; i++) {
        struct dd_home *h = &p->home[s->homes + i];
        *h = p->home[i];
        h->place = twin_place(h->place);
    }
    for (int i = 0; i < s->values; i++) {
        struct dd_value *v = &p->value[s->values + i];
        *v = p->value[i];
        v->home += s->homes;
    }
}

/* Says whether no gradient goes into what a node writes. */
static bool is_constant(const struct pass *s, const struct dd_node *n)
{
    return dd_operation(n)->before_parameters && s->p->derivatives == DD_BY_PARAMETERS;
}

/* Makes room for the moments behind the scale and shift of group norms, and finds the home that never gets
   a gradient.  This comes after mirror, so that the twins, which hold no moments, stay as narrow as they
   were. */
static void prepare(struct pass *s)
{
    for (int i = 0; i < s->p->nodes; i++) {
        const struct dd_node *n = &s->p->node[i];
        int own = s->p->value[n->y].home;
        if (dd_operation(n)->leaves_moments)
            s->p->home[own].c += 2 * n->groups;
        if (is_constant(s, n))
            s->constant = own;
    }
}

/* Returns how many channels of a value had a gradient, and marks all of them as having one. */
static int mark(struct pass *s, int value)
{
    const struct dd_value *v = &s->p->value[value];
    unsigned char *written = s->written + s->first[v->home] + v->offset;
    int before = 0;
    for (int c = 0; c < v->c; c++) {
        before += written[c];
        written[c] = 1;
    }
    return before;
}

/* Returns where the gradient by an input of node n goes.  The first call for a value makes its node
   overwrite; later calls make it add. */
static struct dd_flow into(struct pass *s, const struct dd_node *n, int value)
{
    if (!value || s->p->value[value].home == s->constant)
        return (struct dd_flow){ 0, false };

    int before = mark(s, value);
    if (before && before < s->p->value[value].c)
        s->partial = n->name;
    return (struct dd_flow){ s->values + value, before > 0 };
}

/* Returns the value that the backward node reads as its x, or 0. */
static int kept(const struct pass *s, const struct dd_node *n)
{
    const struct dd_operation *o = dd_operation(n);
    if (o->reads_y)
        return n->y;
    if (o->reads_x || n->norm || n->pre != DD_ACT_NONE)
        return n->x;
    return o->reads_x_for_parameters && s->p->derivatives == DD_BY_PARAMETERS ? n->x : 0;
}

/* Appends the backward node of a node. */
static void reverse(struct pass *s, int node)
{
    const struct dd_node *n = &s->p->node[node];
    if (is_constant(s, n))
        return;
    /* The gradient by y has to be complete by now. */
    if (mark(s, n->y) < s->p->value[n->y].c)
        s->partial = n->name;

    struct dd_node b = *n;
    b.of = node + 1;
    b.y = s->values + n->y;
    b.x = kept(s, n);
    /* The gradient of a sum does not depend on its summands, so the plan need not keep them. */
    b.add = b.residual = 0;

    /* The calls have the order in which the layers write: when two inputs are one value, the first
       overwrites. */
    b.dresidual = into(s, n, n->residual);
    b.dadd = into(s, n, n->add);
    b.dnorm = into(s, n, n->norm);
    /* The moments lie behind the scale and shift, in the home of y. */
    if (dd_operation(n)->leaves_moments)
        b.norm = n->y;
    /* dd_pre_backward overwrites the gradients by scale and shift, so only one node may read them. */
    if (b.dnorm.add)
        s->partial = n->name;

    b.demb = into(s, n, n->emb);
    /* An operation in place turns dy into dx where it lies. */
    if (n->x != n->y)
        b.dx = into(s, n, n->x);
    dd_program_node(s->p, b, 0, 0, 0);
}

/* Makes `written`, in which the output alone has a gradient: the caller brings it.  Returns false when out of
   memory. */
static bool begin(struct pass *s)
{
    const struct dd_program *p = s->p;
    size_t channels = 0;

    s->first = malloc((size_t)s->homes * sizeof *s->first);
    for (int i = 0; i < s->homes && s->first; i++) {
        s->first[i] = channels;
        channels += (size_t)p->home[i].c;
    }
    s->written = calloc(channels, 1);
    if (!s->first || !s->written)
        return false;

    for (int i = 1; i < s->values; i++)
        if (p->home[p->value[i].home].place == DD_PLACE_OUTPUT)
            mark(s, i);
    return true;
}

int dd_differentiate(struct dd_program *p, ddpm_error *err)
{
    struct pass s = { .p = p, .values = p->values, .homes = p->homes, .constant = -1 };

    /* The order matters: begin and mirror read the widths of the homes before prepare changes them. */
    bool begun = begin(&s);
    mirror(&s);
    prepare(&s);

    for (int i = p->nodes - 1; i >= 0 && begun && !p->failed; i--)
        reverse(&s, i);

    free(s.first);
    free(s.written);
    if (!begun || p->failed)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the list of the network's backward nodes");
    if (s.partial)
        return dd_error(err, DDPM_EUNSUPPORTED,
                        "%s: the gradients of what it reads or writes come in parts that do not fit together",
                        s.partial);
    return DDPM_OK;
}
