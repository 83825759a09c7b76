/* The average of the weights, with which models sample; see average.c. */
#ifndef DD_AVERAGE_H
#define DD_AVERAGE_H
#include <stdint.h>
#include "layer/map.h"

/* Returns the decay in the step after `done` steps.  `decay` is the limit to which it grows. */
double dd_average_decay(double decay, int64_t done);
/* Moves average + low [n] towards the weights w [n] after a step.  average is the rounded sum. */
void dd_average_step(const struct dd_context *ctx, float *average, float *low, const float *w, size_t n,
                     double decay);
#endif
