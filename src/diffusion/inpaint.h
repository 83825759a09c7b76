/* Known elements of the images of a sampler, see inpaint.c. */
#ifndef DD_INPAINT_H
#define DD_INPAINT_H
#include "ddpm.h"

/* The most times that a part of the chain is gone through. */
enum { DD_RESAMPLE_MOST = 256 };

/* Begins to keep known elements, see ddpm_sampler_keep. */
int dd_inpaint_keep(ddpm_sampler *s, const ddpm_keep *keep, ddpm_error *err);
/* Sets the known elements of the live images at the present position. */
void dd_inpaint_merge(ddpm_sampler *s);
/* Takes all live images one position up by noise. */
void dd_inpaint_back(ddpm_sampler *s);
#endif
