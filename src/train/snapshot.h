/* What a trainer has of a model, and the model it makes, see snapshot.c. */
#ifndef DD_SNAPSHOT_H
#define DD_SNAPSHOT_H
#include "train/trainer.h"

/* t->plain, whose parameters are t->average; and that average.  Before the first step: the model's weights. */
int dd_snapshot_begin(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err);
/* Of a training checkpoint: the trained weights, the moments, and how far it had come. */
int dd_snapshot_resume(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err);
/* See ddpm_trainer_model. */
int dd_snapshot_model(const struct ddpm_trainer *t, ddpm_model **m, bool whole, const char *run,
                      ddpm_error *err);
#endif
