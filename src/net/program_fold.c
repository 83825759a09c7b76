/* Up-sampling folded into the convolution that alone reads it: the convolution reads each pixel of the small image four times
   (dd_conv_shape's `doubled`), and the large one is never made.  What the up-sampling applied on load the convolution applies, since
   act(x scale + shift) of a copy is the copy.  A program that is trained stays as it was built. */
#include <string.h>
#include "net/program.h"

static int reads(const struct dd_node *n, int value)
{
    return (n->x == value) + (n->norm == value) + (n->add == value) + (n->residual == value) + (n->emb == value);
}

/* The convolution that may read what node `up` reads, or NULL. */
static struct dd_node *follower(struct dd_program *p, const struct dd_node *up)
{
    const struct dd_value *y = &p->value[up->y];
    struct dd_node *found = NULL;
    if (up->op != DD_OP_UPSAMPLE || p->home[y->home].c != y->c || p->home[y->home].place != DD_PLACE_BLOCK)
        return NULL;
    for (struct dd_node *n = p->node; n < p->node + p->nodes; n++)
        if (reads(n, up->y)) {
            if (found || n->op != DD_OP_CONV || n->x != up->y || reads(n, up->y) > 1)
                return NULL;
            found = n;
        }
    if (!found || found->stride != 1 || found->kernel == 1 || ((up->norm || up->pre) && (found->norm || found->pre)))
        return NULL;
    return found;
}

static void remove_node(struct dd_program *p, int node)
{
    p->nodes--;
    memmove(&p->node[node], &p->node[node + 1], sizeof *p->node * (size_t)(p->nodes - node));
    for (int i = 0; i < p->parts; i++)
        p->part[i].node -= p->part[i].node > node;
}

void dd_program_fold(struct dd_program *p)
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
