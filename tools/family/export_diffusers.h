/* A model as a folder that Hugging Face diffusers loads: DDPMPipeline of a UNet2DModel and a DDPMScheduler. */
#ifndef DDPM_EXPORT_DIFFUSERS_H
#define DDPM_EXPORT_DIFFUSERS_H
#include <stdbool.h>
#include "ddpm.h"

/* DDPM_EDATA names what diffusers cannot express; nothing is written then.  replace: files of an existing folder may be replaced. */
int export_diffusers(const ddpm_model *m, const char *folder, bool replace, ddpm_error *err);
#endif
