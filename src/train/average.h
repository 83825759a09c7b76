/* The average of the weights that is sampled with, see average.c. */
#ifndef DD_AVERAGE_H
#define DD_AVERAGE_H
#include <stdint.h>
#include "layer/map.h"

/* The decay of the step that follows `done` others, whose end is `decay`. */
double dd_average_decay(double decay, int64_t done);
/* Takes the weights w [n] that a step has made into average + low [n]; average is the sum, rounded. */
void dd_average_step(const struct dd_context *ctx, float *average, float *low, const float *w, size_t n,
                     double decay);
#endif
