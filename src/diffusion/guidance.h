/* Guidance of a network by its own classes, as a function eps(x, t) around another one. */
#ifndef DD_GUIDANCE_H
#define DD_GUIDANCE_H
#include "ddpm.h"

/* Makes a guidance, see ddpm_guidance_create. */
int dd_guidance_create(ddpm_guidance **g, const ddpm_about *a, const ddpm_guidance_options *o,
                       ddpm_error *err);
/* Fills out [n, m, d] with the guided prediction, see ddpm_guidance_eps. */
int dd_guidance_eps(ddpm_guidance *g, double *out, const double *x, double t, const int32_t *classes, int n,
                    ddpm_error *err);
void dd_guidance_free(ddpm_guidance *g);
#endif
