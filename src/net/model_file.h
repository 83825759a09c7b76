/* The model file of model-file.md: a safetensors container whose metadata hold "format": "ddpm" and "ddpm":
   the JSON. */
#ifndef DD_MODEL_FILE_H
#define DD_MODEL_FILE_H
#include "net/model.h"

/* data outlives the model, or belongs to file, which the model then takes over. */
int dd_model_file_open(ddpm_model **m, const unsigned char *data, size_t size, const char *name,
                       ddpm_error *err);
int dd_model_file_save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err);
int dd_model_file_check(const ddpm_model *m, ddpm_error *err);
#endif
