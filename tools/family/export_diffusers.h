/* A model as a folder that Hugging Face diffusers loads: a DDPMPipeline of a UNet2DModel and a
   DDPMScheduler. */
#ifndef DDPM_EXPORT_DIFFUSERS_H
#define DDPM_EXPORT_DIFFUSERS_H
#include <stdbool.h>
#include "ddpm.h"

/* Writes m to a folder (export_folder.h).  Returns DDPM_EDATA, and writes nothing, when diffusers cannot
   express the model; the error names why.  replace: files of an existing folder may be replaced. */
int export_diffusers(const ddpm_model *m, const char *folder, bool replace, ddpm_error *err);
#endif
