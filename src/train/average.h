/* The average of the weights that is sampled with, see average.c. */
#ifndef DD_AVERAGE_H
#define DD_AVERAGE_H
#include <stdint.h>
#include "layer/map.h"

/* The decay of the step that follows `done` others, whose end is `decay`. */
double dd_average_decay(double decay, int64_t done);
/* average [n] after a step that made w [n]. */
void   dd_average_step(const struct dd_context *ctx, float *average, const float *w, size_t n, double decay);
#endif
