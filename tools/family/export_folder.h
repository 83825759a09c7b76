/* The files of a diffusers pipeline: weights and configurations, laid out as diffusers' own
   save_pretrained does. */
#ifndef DDPM_EXPORT_FOLDER_H
#define DDPM_EXPORT_FOLDER_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include "ddpm.h"

/* The version of diffusers whose fields are written. */
#define EXPORT_DIFFUSERS "0.42.1"

/* Writes unet/config.json and scheduler/scheduler_config.json from the two objects, the weights of m as
   float32, and model_index.json last, because a folder without it is no pipeline.  replace: files of an
   existing folder may be replaced; otherwise nothing may be there.  Returns DDPM_ECREATE, DDPM_EIO or
   DDPM_ENOMEM. */
int export_folder_write(const ddpm_model *m, const char *folder, const cJSON *unet, const cJSON *scheduler,
                        bool replace, ddpm_error *err);
#endif
