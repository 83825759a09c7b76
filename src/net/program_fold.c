/* Makes a program for inference shorter.  A program that is trained stays as it was built.

   1. Up-sampling is folded into a convolution that is its only reader.  The convolution reads each pixel of
   the small image four times (dd_conv_shape's `doubled`), and the large image is never written.  The
   convolution also applies what the up-sampling applied on load: copying pixels before or after
   act(x scale + shift) gives the same.

   2. Attention of one head that is as wide as its tokens z = norm(x) needs two matrices instead of four.
   With q = Q z + a, k = K z + b, v = V z + c and y = O (P v) + d, P being the softmax,

     q_i . k_j = (K^T Q z_i + K^T a) . z_j + q_i . b,   y_i = O V (P z)_i + O c + d.

   The term q_i . b is the same for all j, so softmax ignores it.  The rows of P add up to 1, so the constant
   O c passes through.  So z itself serves as key and value, and the products K^T Q and O V are computed once.
   Attention of several heads stays as it is, because each head would need a K^T Q of its own. */
#include <string.h>
#include "net/program.h"

/* Returns how many times a node reads a value. */
static int reads(const struct dd_node *n, int value)
{
    return (n->x == value) + (n->norm == value) + (n->add == value) + (n->residual == value) +
           (n->emb == value);
}

/* Returns the convolution that may read what node `up` reads, or NULL. */
static struct dd_node *follower(struct dd_program *p, const struct dd_node *up)
{
    const struct dd_value *y = &p->value[up->y];
    struct dd_node *found = NULL;
    if (up->op != DD_OP_UPSAMPLE || p->home[y->home].c != y->c || p->home[y->home].place != DD_PLACE_BLOCK)
        return NULL;

    for (struct dd_node *n = p->node; n < p->node + p->nodes; n++) {
        if (!reads(n, up->y))
            continue;
        if (found || n->op != DD_OP_CONV || n->x != up->y || reads(n, up->y) > 1)
            return NULL;
        found = n;
    }

    /* The convolution can apply one change on load, so at most one of the two nodes may have one. */
    if (!found || found->stride != 1 || found->kernel == 1 ||
        ((up->norm || up->pre) && (found->norm || found->pre)))
        return NULL;
    return found;
}

/* Returns the node of the 1x1 convolution that writes `value` or, unless `gives` is set, is the only one to
   read it.  It must have this many parts and apply no activation on load.  Returns -1 when there is no such
   node. */
static int projection(const struct dd_program *p, int value, bool gives, int parts)
{
    int found = -1;
    for (int i = 0; i < p->nodes; i++) {
        const struct dd_node *n = &p->node[i];
        if (gives ? n->y != value : !reads(n, value))
            continue;
        if (found >= 0 || n->op != DD_OP_CONV || n->kernel != 1 || n->stride != 1 || n->parts != parts ||
            n->pre != DD_ACT_NONE)
            return -1;
        found = i;
    }
    return found;
}

/* Moves the last node to index `at`. */
static void move_node(struct dd_program *p, int at)
{
    struct dd_node last = p->node[p->nodes - 1];

    memmove(&p->node[at + 1], &p->node[at], sizeof last * (size_t)(p->nodes - 1 - at));
    p->node[at] = last;
    for (int i = 0; i < p->parts; i++)
        p->part[i].node += p->part[i].node >= at;
}

/* Folds the attention of node `mix`, see 2. above.  Returns whether it did; then there is one more node
   before it. */
static bool fold_head(struct dd_program *p, int mix)
{
    const struct dd_attention *a = &p->node[mix].attention;
    int qkv = projection(p, p->node[mix].x, true, 3), out = projection(p, p->node[mix].y, false, 1);
    if (a->heads != 1 || a->memory || qkv < 0 || out < 0 || p->node[out].norm ||
        p->node[out].x != p->node[mix].y || p->value[p->node[qkv].x].c != a->dim)
        return false;

    struct dd_node *q = &p->node[qkv], *o = &p->node[out];
    struct dd_value all = p->value[q->y];
    const char *name = p->node[mix].name;

    /* The value [q | k | v] becomes [query | tokens]; a copy of norm(x) writes the tokens. */
    int query = dd_program_slice(p, q->y, 0, a->dim), tokens = dd_program_slice(p, q->y, a->dim, a->dim);
    p->home[all.home].c = p->value[q->y].c = 2 * a->dim;
    p->node[mix].attention.tied = true;
    struct dd_node copy = {
        .op = DD_OP_COPY,
        .name = dd_program_name(p, "%s.tokens", name),
        .y = tokens,
        .x = q->x,
        .norm = q->norm,
        .a = 1,
    };

    /* O V takes the place of V's part, which stands before O's own part. */
    o->name = dd_program_name(p, "%s.to_v.to_out", name);
    o->part = q->part + 2;
    o->parts = 2;
    o->product = DD_PRODUCT_PLAIN;
    p->part[o->part].node = out;

    /* K^T Q reads the tokens, which already are norm(x). */
    q->name = dd_program_name(p, "%s.to_q.to_k", name);
    q->parts = 2;
    q->product = DD_PRODUCT_TURNED;
    q->x = tokens;
    q->y = query;
    q->norm = 0;

    dd_program_node(p, copy, all.h, all.w, a->dim);
    if (!p->failed)
        move_node(p, qkv);
    return true;
}

static void remove_node(struct dd_program *p, int node)
{
    p->nodes--;
    memmove(&p->node[node], &p->node[node + 1], sizeof *p->node * (size_t)(p->nodes - node));
    for (int i = 0; i < p->parts; i++)
        p->part[i].node -= p->part[i].node > node;
}

/* Folds every up-sampling that can be, see 1. above. */
static void fold_up(struct dd_program *p)
{
    for (int i = 0; i < p->nodes; i++) {
        const struct dd_node *up = &p->node[i];
        struct dd_node *conv = follower(p, up);
        if (!conv)
            continue;

        conv->x = up->x;
        conv->doubled = true;
        if (up->norm || up->pre) {
            conv->norm = up->norm;
            conv->pre = up->pre;
        }
        remove_node(p, i--);
    }
}

int dd_program_fold(struct dd_program *p, ddpm_error *err)
{
    fold_up(p);
    for (int i = 0; i < p->nodes; i++)
        if (p->node[i].op == DD_OP_ATTENTION && !p->node[i].attention.tied && !p->failed)
            i += fold_head(p, i);

    if (p->failed)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the list of the network's nodes");
    return DDPM_OK;
}
