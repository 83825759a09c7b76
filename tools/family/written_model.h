/* A model file that is read again and compared once it is written. */
#ifndef DDPM_WRITTEN_MODEL_H
#define DDPM_WRITTEN_MODEL_H
#include <stdbool.h>
#include "ddpm.h"

/* Writes m to path, reads the file again and compares every tensor.  half: weights are stored as float16.
   force: an existing file may be replaced, once the new one, beside it, has been compared.  Fills in the
   id of the file.  DDPM_EIO: the file is not what was written; it is removed then. */
int write_model(char id[65], const ddpm_model *m, const char *path, bool half, bool force, ddpm_error *err);

/* Returns the choices of --dtype: "f32", "f16", NULL. */
const char *const *dtype_names(void);
#endif
