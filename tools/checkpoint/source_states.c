/* Keeps the states of a source: dictionaries of named tensors, each sorted by name. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "checkpoint/source.h"

int source_order(const void *a, const void *b)
{
    return strcmp(((const struct named *)a)->name, ((const struct named *)b)->name);
}

int source_add(struct source *s, const char *path, struct named *tensor, size_t tensors, ddpm_error *err)
{
    qsort(tensor, tensors, sizeof *tensor, source_order);
    for (size_t i = 1; i < tensors; i++)
        if (!strcmp(tensor[i - 1].name, tensor[i].name))
            return dd_error(err, DDPM_EDATA, "tensor %.120s is there twice", tensor[i].name);

    if (s->states == s->room) {
        size_t room = s->room ? 2 * s->room : 8;
        /* The arena cannot resize a block, so the list is copied to one of twice the size. */
        struct state *list = dd_arena(&s->arena, room, sizeof *list);
        if (!list)
            return dd_error_memory(err, "the tensors of a checkpoint");
        if (s->states)
            memcpy(list, s->state, s->states * sizeof *list);
        s->state = list;
        s->room = room;
    }

    s->state[s->states++] = (struct state){ path, tensor, tensors, NULL };
    return DDPM_OK;
}

const struct named *source_find(const struct state *state, const char *name)
{
    struct named key = { name, NULL, NULL };
    return bsearch(&key, state->tensor, state->tensors, sizeof key, source_order);
}
