/* One node of the list, backward. */
#ifndef DD_BACKWARD_H
#define DD_BACKWARD_H
#include "net/net.h"

/* Gradients by parameters are added to net->sums. */
void dd_backward_node(ddpm_net *net, const struct dd_slice *s, int node);
/* Bytes of scratch that a node asks for. */
size_t dd_backward_scratch(const ddpm_net *net, int node);
#endif
