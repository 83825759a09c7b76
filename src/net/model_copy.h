/* A model with the tensors of another and metadata of its own, see model_copy.c. */
#ifndef DD_MODEL_COPY_H
#define DD_MODEL_COPY_H
#include "net/model.h"

/* The metadata of m without "id" and without one more object, to be changed and given to one of the next;
   NULL when out of memory. */
cJSON *dd_model_copy_metadata(const ddpm_model *m, const char *without);
/* A model of these metadata, which are deleted (NULL: there was no memory for them), whose tensors have no
   data yet; name is for messages. */
int dd_model_copy_described(ddpm_model **copy, cJSON *metadata, const char *name, ddpm_error *err);
/* The same, with m's data in what m has too and zeros elsewhere. */
int dd_model_copy(ddpm_model **copy, const ddpm_model *m, cJSON *metadata, const char *name, ddpm_error *err);
#endif
