/* The files of a diffusers pipeline: weights and descriptions, as diffusers' own save_pretrained lays them out. */
#ifndef DDPM_EXPORT_FOLDER_H
#define DDPM_EXPORT_FOLDER_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include "ddpm.h"

#define EXPORT_DIFFUSERS "0.42.1" /* the version whose fields these are */

/* unet/config.json and scheduler/scheduler_config.json from the two objects, the plain tensors of m as float32, and model_index.json,
   last: a folder without it is no pipeline.  replace: files of an existing folder may be replaced; else nothing may be there. */
int export_folder_write(const ddpm_model *m, const char *folder, const cJSON *unet, const cJSON *scheduler,
                        bool replace, ddpm_error *err);
#endif
