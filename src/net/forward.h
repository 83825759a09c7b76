/* One node of the list, forward. */
#ifndef DD_FORWARD_H
#define DD_FORWARD_H
#include "net/net.h"

struct dd_map dd_forward_map(const ddpm_net *net, const struct dd_slice *s, int value);
/* What a node applies to x on load.  A norm left scale [n, c], then shift [n, c]; in training also mean and 1 / std [n, groups, 2]. */
struct dd_pre dd_forward_pre(const ddpm_net *net, const struct dd_slice *s, const struct dd_node *n);
void dd_forward_node(ddpm_net *net, const struct dd_slice *s, int node);
/* Bytes of scratch that a node asks for. */
size_t dd_forward_scratch(const ddpm_net *net, int node);
#endif
