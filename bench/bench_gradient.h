/* Times a convolution's passes in a step of training, for `ddpm-bench conv --gradients`. */
#ifndef BENCH_GRADIENT_H
#define BENCH_GRADIENT_H
#include "layer/conv.h"

/* The passes: packing for the forward pass and for the gradient by input, forward, the gradients by input and
   by weights, and the gradient by weights if the layer's input goes through a SiLU. */
enum { PASS_PACK, PASS_PACK_DATA, PASS_FORWARD, PASS_DATA, PASS_WEIGHTS, PASS_WEIGHTS_SILU, PASSES };

/* Seconds of each pass. */
struct bench_gradient {
    double seconds[PASSES];
};

/* Fills b with the least times over `rounds` rounds.  Returns 0, or 1 after printing an error. */
int bench_gradient_layer(struct bench_gradient *b, const struct dd_conv_shape *s,
                         const struct dd_conv_setup *setup, int rounds);
/* Adds the times of b, `count` times. */
void bench_gradient_add(struct bench_gradient *sum, const struct bench_gradient *b, int count);
/* Prints the times and, unless flops (per pass) is 0, the rates. */
void bench_gradient_print(const struct bench_gradient *b, double flops);
#endif
