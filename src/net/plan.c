/* Plans memory by liveness.  A home is alive from the first node that uses it to the last one.  The homes
   are placed one after the other, the largest first.  Each gets the lowest offset at which it overlaps no
   home that is alive at the same time (Pisarchyk and Lee 2020, arXiv 2001.03288, "greedy by size"). */
#include "net/plan.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 16 }; /* the number of floats in a cache line */

/* A home, the first and the last node that use it, and its size and offset in the block, in floats. */
struct life {
    int home, first, last;
    size_t size, offset;
};

/* Notes that a node uses a value.  Value 0 is no value. */
static void touch(struct life *life, const struct dd_program *p, int value, int node)
{
    struct life *l = &life[p->value[value].home];
    if (!value || p->home[l->home].place != DD_PLACE_BLOCK)
        return;
    l->first = node < l->first ? node : l->first;
    l->last = node > l->last ? node : l->last;
}

/* Finds the size of every home and the nodes between which it is alive. */
static void measure(struct life *life, const struct dd_program *p, int batch)
{
    for (int i = 0; i < p->homes; i++) {
        const struct dd_home *h = &p->home[i];
        size_t floats = (size_t)batch * (size_t)h->h * (size_t)h->w * (size_t)h->c;
        life[i] = (struct life){
            .home = i,
            .first = INT_MAX,
            .last = -1,
            .size = (floats + LINE - 1) / LINE * LINE,
        };
    }

    for (int i = 0; i < p->nodes; i++) {
        const struct dd_node *n = &p->node[i];
        const int values[] = {
            n->y,          n->x,        n->norm,        n->add,        n->residual,
            n->emb,        n->dx.value, n->dnorm.value, n->dadd.value, n->dresidual.value,
            n->demb.value,
        };
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            touch(life, p, values[k], i);
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    if (x->size != y->size)
        return x->size < y->size ? 1 : -1;
    return x->home - y->home;
}

static int by_offset(const void *a, const void *b)
{
    const struct life *x = *(const struct life *const *)a, *y = *(const struct life *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* Returns the lowest offset where life[i] fits between those of life[0] to life[i - 1] that are alive at the
   same time.  rival [i] is room for sorting them. */
static size_t lowest(const struct life *life, int i, const struct life **rival)
{
    size_t rivals = 0, at = 0;
    for (int k = 0; k < i; k++)
        if (life[k].first <= life[i].last && life[i].first <= life[k].last)
            rival[rivals++] = &life[k];

    /* Goes through the rivals by offset and moves behind each one that is in the way. */
    if (rivals)
        qsort(rival, rivals, sizeof *rival, by_offset);
    for (size_t k = 0; k < rivals && at + life[i].size > rival[k]->offset; k++)
        if (rival[k]->offset + rival[k]->size > at)
            at = rival[k]->offset + rival[k]->size;
    return at;
}

static void place(struct dd_plan *plan, struct life *life, int homes, const struct life **rival)
{
    for (int i = 0; i < homes; i++) {
        /* No node uses this home. */
        if (life[i].last < 0)
            continue;

        life[i].offset = lowest(life, i, rival);
        plan->offset[life[i].home] = life[i].offset;

        size_t end = life[i].offset + life[i].size;
        if (end > plan->floats)
            plan->floats = end;
    }
}

int dd_plan_create(struct dd_plan *plan, const struct dd_program *p, int batch, ddpm_error *err)
{
    size_t n = (size_t)p->homes;
    struct life *life = malloc(n * sizeof *life);
    const struct life **rival = malloc(n * sizeof *rival);
    *plan = (struct dd_plan){ .offset = calloc(n, sizeof *plan->offset) };

    int code = DDPM_OK;
    if (life && rival && plan->offset) {
        measure(life, p, batch);
        qsort(life, n, sizeof *life, larger_first);
        place(plan, life, p->homes, rival);
    } else {
        code = dd_error(err, DDPM_ENOMEM, "out of memory for the memory plan");
    }

    free(rival);
    free(life);
    if (code)
        dd_plan_free(plan);
    return code;
}

void dd_plan_free(struct dd_plan *plan)
{
    free(plan->offset);
    *plan = (struct dd_plan){ NULL, 0 };
}
