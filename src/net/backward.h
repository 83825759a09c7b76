/* Computes one node of the list in the backward pass. */
#ifndef DD_BACKWARD_H
#define DD_BACKWARD_H
#include "net/operation.h"

/* Computes a backward node; every thread of the team calls it with its worker.  The gradients by parameters
   are added to net->sums. */
void dd_backward_node(ddpm_net *net, const struct dd_slice *s, int node, struct dd_worker *worker);
/* Returns the bytes of scratch that a backward node needs. */
size_t dd_backward_scratch(const ddpm_net *net, int node);

/* The functions below serve the operations. */

/* Returns the map of a value in *m and a pointer to it; NULL for value 0. */
const struct dd_map *dd_backward_map(struct dd_map *m, const struct dd_backward *b, int value);
/* Computes dx from dx'. */
void dd_backward_pre(const struct dd_backward *b);
/* Returns how many images an operation with `in_passes` takes at a time. */
int dd_backward_images_of_pass(const ddpm_net *net, const struct dd_node *n);
/* Returns the work b for the images first .. first + n - 1 alone. */
struct dd_backward dd_backward_images(const struct dd_backward *b, int first, int n);
#endif
