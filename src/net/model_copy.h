/* Makes models from models: the same tensors under other metadata, see model_copy.c. */
#ifndef DD_MODEL_COPY_H
#define DD_MODEL_COPY_H
#include "net/model.h"

/* Returns a copy of m's metadata without "id" and without the object `without`, for the caller to change
   and to pass to a function below.  NULL: out of memory. */
cJSON *dd_model_copy_metadata(const ddpm_model *m, const char *without);
/* Makes a model from these metadata, whose tensors have no data yet.  The metadata are deleted; NULL means
   that dd_model_copy_metadata ran out of memory.  name is for messages. */
int dd_model_copy_described(ddpm_model **copy, cJSON *metadata, const char *name, ddpm_error *err);
/* Does the same, then copies the data of the tensors that m has, too; the others are zero. */
int dd_model_copy(ddpm_model **copy, const ddpm_model *m, cJSON *metadata, const char *name, ddpm_error *err);
#endif
