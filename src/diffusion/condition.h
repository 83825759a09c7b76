/* Leads a step of a sampler to the classes of its images, by the gradients of a classifier; see condition.c.
   */
#ifndef DD_CONDITION_H
#define DD_CONDITION_H
#include "diffusion/sampler.h"

/* Moves the mean [d] of an ancestral step from position i, for the k-th live image.  It overwrites s->x0. */
void dd_condition_mean(ddpm_sampler *s, double *mean, int k, int i);
/* Moves the predictions of all live images at position i, which lie in s->output. */
void dd_condition_prediction(ddpm_sampler *s, int i);
#endif
