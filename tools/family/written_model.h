/* A model file that is read again once it is written. */
#ifndef DDPM_WRITTEN_MODEL_H
#define DDPM_WRITTEN_MODEL_H
#include <stdbool.h>
#include "ddpm.h"

/* Writes m to path, weights as float16 where half, and compares every tensor with what was written.  id
   becomes the file's.  An existing file is replaced only where force, and only once the new one, beside
   it, has been compared.  Returns DDPM_EIO when the file is not what was written; it is removed then. */
int write_model(char id[65], const ddpm_model *m, const char *path, bool half, bool force, ddpm_error *err);

/* Returns the choices of --dtype: "f32", "f16", NULL. */
const char *const *dtype_names(void);
#endif
