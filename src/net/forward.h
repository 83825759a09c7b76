/* One node of the list, forward. */
#ifndef DD_FORWARD_H
#define DD_FORWARD_H
#include "net/net.h"

struct dd_map dd_forward_map(const ddpm_net *net, const struct dd_slice *s, int value);
void   dd_forward_node(ddpm_net *net, const struct dd_slice *s, int node);
/* Bytes of scratch that a node asks for. */
size_t dd_forward_scratch(const ddpm_net *net, int node);
#endif
