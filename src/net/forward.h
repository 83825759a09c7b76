/* Computes one node of the list in the forward pass. */
#ifndef DD_FORWARD_H
#define DD_FORWARD_H
#include "net/net.h"

/* Returns the map of a value, for the images of a slice. */
struct dd_map dd_forward_map(const ddpm_net *net, const struct dd_slice *s, int value);
/* Returns what a node applies to x on load.  A norm node's value holds scale [n, c], then shift [n, c],
   then in training mean and 1 / std [n, groups, 2]. */
struct dd_pre dd_forward_pre(const ddpm_net *net, const struct dd_slice *s, const struct dd_node *n);
/* Says whether a node applies anything to x on load. */
bool dd_forward_has_pre(const struct dd_node *n);
/* Computes the node's value; every thread of the team calls it with its worker. */
void dd_forward_node(ddpm_net *net, const struct dd_slice *s, int node, struct dd_worker *worker);
/* Returns the bytes of scratch that a forward node needs. */
size_t dd_forward_scratch(const ddpm_net *net, int node);
#endif
