/* Counts how many nodes of a network each convolution engine runs.  A node that has no choice of engines
   does not count. */
#include "cli/engines.h"
#include <stdio.h>
#include <string.h>

struct engines engines_of(const ddpm_net *net)
{
    struct engines e = { .kinds = 0 };
    const ddpm_node *node;
    size_t nodes = ddpm_net_nodes(net, &node);
    for (size_t i = 0; i < nodes; i++) {
        int k = 0;
        if (!*node[i].engine)
            continue;

        while (k < e.kinds && strcmp(e.name[k], node[i].engine))
            k++;
        if (k == ENGINES_MAX)
            continue;
        /* k is the place of this engine, or the next free one. */
        e.kinds += k == e.kinds;
        e.name[k] = node[i].engine;
        e.count[k]++;
    }
    return e;
}

void engines_text(char *out, size_t size, const struct engines *e)
{
    size_t n = 0;
    *out = 0;
    for (int k = 0; k < e->kinds && n < size; k++)
        n += (size_t)snprintf(out + n, size - n, "%s%s %d", k ? ", " : "", e->name[k], e->count[k]);
}
