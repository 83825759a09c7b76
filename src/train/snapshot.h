/* Takes a model into a trainer, and makes models from a trainer; see snapshot.c. */
#ifndef DD_SNAPSHOT_H
#define DD_SNAPSHOT_H
#include "train/trainer.h"

/* Makes t->plain, a model whose parameters are t->average; the average begins as the weights of m. */
int dd_snapshot_begin(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err);
/* Takes the trained weights, the moments and the steps done from a training checkpoint. */
int dd_snapshot_resume(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err);
/* Makes a model from the state of t, see ddpm_trainer_model. */
int dd_snapshot_model(const struct ddpm_trainer *t, ddpm_model **m, bool whole, const char *run,
                      ddpm_error *err);
#endif
