/* The model file of model-file.md: a safetensors container whose metadata hold "format": "ddpm" and, as
   "ddpm", the JSON that describes the model. */
#ifndef DD_MODEL_FILE_H
#define DD_MODEL_FILE_H
#include "net/model.h"

/* Opens a model whose tensors stay where they lie in data [size].  data must outlive the model, unless it
   belongs to a mapped file that the caller then gives to the model.  name is for messages. */
int dd_model_file_open(ddpm_model **m, const unsigned char *data, size_t size, const char *name,
                       ddpm_error *err);
/* Writes m to path under flags (DDPM_SAVE_...), see ddpm_model_save. */
int dd_model_file_save(const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err);
/* Compares the tensors with m's id, see ddpm_model_check. */
int dd_model_file_check(const ddpm_model *m, ddpm_error *err);
#endif
