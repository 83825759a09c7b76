/* Times a convolution's passes in a step of training, for `ddpm-bench conv --gradients`. */
#ifndef BENCH_GRADIENT_H
#define BENCH_GRADIENT_H
#include "layer/conv.h"

/* Seconds: packing for each pass, the passes themselves, and the gradient by the weights behind
   a SiLU. */
enum { PASS_PACK, PASS_PACK_DATA, PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, PASS_WEIGHTS_SILU, PASSES };

struct bench_gradient {
    double seconds[PASSES];
};

/* Fills the times with the least of `rounds` each.  Returns 0, or 1 with a message. */
int bench_gradient_layer(struct bench_gradient *b, const struct dd_conv_shape *s,
                         const struct dd_conv_setup *setup, int rounds);
void bench_gradient_add(struct bench_gradient *sum, const struct bench_gradient *b, int count);
/* Prints the times; flops are of a pass, 0: no rates. */
void bench_gradient_print(const struct bench_gradient *b, double flops);
#endif
