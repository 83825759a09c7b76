/* The average of the weights, with which models sample; see average.c. */
#ifndef DD_AVERAGE_H
#define DD_AVERAGE_H
#include <stdint.h>
#include "layer/map.h"

/* Returns the decay of the step that follows `done` others; `decay` is the limit that it grows to. */
double dd_average_decay(double decay, int64_t done);
/* Moves average + low [n] towards the weights w [n] that a step has made; average is the sum, rounded. */
void dd_average_step(const struct dd_context *ctx, float *average, float *low, const float *w, size_t n,
                     double decay);
#endif
