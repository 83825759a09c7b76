/* The tuned solvers in a model, see model_tuned.c. */
#ifndef DD_MODEL_TUNED_H
#define DD_MODEL_TUNED_H
#include "net/model.h"

enum { DD_MODEL_TUNED_MOST = 64 };

/* Reads the list "tuned" of the metadata into m->tuned; tables come with the tensors. */
int dd_model_tuned_read(ddpm_model *m, const cJSON *list, ddpm_error *err);
/* Appends the tensors of the solvers to m's list. */
int dd_model_tuned_list(ddpm_model *m, ddpm_error *err);
/* Points the solvers at their tensors, and m->about at the solvers. */
void dd_model_tuned_about(ddpm_model *m);
/* Checks the tables: steps rise and lie within 0 to T - 1, so do the steps that the network is told, and
   corrections are of moderate size.  name is for messages. */
int dd_model_tuned_validate(const ddpm_model *m, const char *name, ddpm_error *err);
/* Makes a copy of a model with one more solver, see ddpm_model_add_tuned. */
int dd_model_tuned_add(ddpm_model **with, const ddpm_model *m, const ddpm_tuned *solver, ddpm_error *err);
#endif
