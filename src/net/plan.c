/* Memory by liveness: a home is alive from the first node that writes into it to the last that reads it.  The homes are placed, the
   largest first, each at the lowest offset where no home that is alive at the same time lies (Pisarchyk and Lee 2020, arXiv
   2001.03288, "greedy by size"). */
#include "net/plan.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 16 }; /* floats of a cache line */

struct life {
    int home, first, last;
    size_t size, offset;
};

static void touch(struct life *life, const struct dd_program *p, int value, int node)
{
    struct life *l = &life[p->value[value].home];
    if (!value || p->home[l->home].place != DD_PLACE_BLOCK)
        return;
    l->first = node < l->first ? node : l->first;
    l->last = node > l->last ? node : l->last;
}

static void measure(struct life *life, const struct dd_program *p, int batch)
{
    for (int i = 0; i < p->homes; i++) {
        const struct dd_home *h = &p->home[i];
        size_t floats = (size_t)batch * (size_t)h->h * (size_t)h->w * (size_t)h->c;
        life[i] = (struct life){
            .home = i, .first = INT_MAX, .last = -1, .size = (floats + LINE - 1) / LINE * LINE
        };
    }
    for (int i = 0; i < p->nodes; i++) {
        const struct dd_node *n = &p->node[i];
        const int values[] = { n->y,         n->x,        n->norm,        n->add,        n->residual,
                               n->emb,       n->dx.value, n->dnorm.value, n->dadd.value, n->dresidual.value,
                               n->demb.value };
        for (size_t k = 0; k < sizeof values / sizeof *values; k++)
            touch(life, p, values[k], i);
    }
}

static int larger_first(const void *a, const void *b)
{
    const struct life *x = a, *y = b;
    return x->size != y->size ? (x->size < y->size) - (x->size > y->size) : x->home - y->home;
}

static int by_offset(const void *a, const void *b)
{
    const struct life *x = *(const struct life *const *)a, *y = *(const struct life *const *)b;
    return (x->offset > y->offset) - (x->offset < y->offset);
}

/* The lowest gap for life[i] between those of 0..i-1 that live at the same time; rival [i] is room to sort them in. */
static size_t lowest(const struct life *life, int i, const struct life **rival)
{
    size_t rivals = 0, at = 0;
    for (int k = 0; k < i; k++)
        if (life[k].first <= life[i].last && life[i].first <= life[k].last)
            rival[rivals++] = &life[k];
    if (rivals)
        qsort(rival, rivals, sizeof *rival, by_offset);
    for (size_t k = 0; k < rivals && at + life[i].size > rival[k]->offset; k++)
        if (rival[k]->offset + rival[k]->size > at)
            at = rival[k]->offset + rival[k]->size;
    return at;
}

int dd_plan_create(struct dd_plan *plan, const struct dd_program *p, int batch, ddpm_error *err)
{
    size_t n = (size_t)p->homes;
    struct life *life = malloc(n * sizeof *life);
    const struct life **rival = malloc(n * sizeof *rival);
    *plan = (struct dd_plan){ .offset = calloc(n, sizeof *plan->offset) };
    if (life && rival && plan->offset) {
        measure(life, p, batch);
        qsort(life, n, sizeof *life, larger_first);
        for (int i = 0; i < p->homes; i++) {
            if (life[i].last < 0)
                continue;
            life[i].offset = lowest(life, i, rival);
            plan->offset[life[i].home] = life[i].offset;
            if (life[i].offset + life[i].size > plan->floats)
                plan->floats = life[i].offset + life[i].size;
        }
    }
    int code = life && rival && plan->offset
                   ? DDPM_OK
                   : dd_error(err, DDPM_ENOMEM, "out of memory for the memory plan");
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
