/* Dropout (Srivastava et al. 2014): y = mask act(x scale + shift) / (1 - p), where an element of the mask
   is 0 with probability p. */
#ifndef DD_DROPOUT_H
#define DD_DROPOUT_H
#include <stdint.h>
#include "layer/map.h"

/* The masks of a batch: image i has those of sample first + i in the stream of seed; see model-file.md
   "Noise". */
struct dd_dropout {
    uint64_t seed, first;
};

/* One dropout of a network.  place tells its masks from those of the network's others. */
struct dd_dropout_layer {
    double p;
    uint32_t place;
    const struct dd_dropout *masks; /* NULL: nothing is dropped or scaled */
};

/* Computes y; without masks it computes y = act(x scale + shift).  pre may be NULL; y may be x. */
void dd_dropout_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                        const struct dd_pre *pre, const struct dd_dropout_layer *d);
/* Changes dy into mask dy / (1 - p), with the same mask: the gradient by act(x scale + shift). */
void dd_dropout_backward(const struct dd_context *ctx, const struct dd_map *dy,
                         const struct dd_dropout_layer *d);
#endif
