/* A run of `ddpm tune` in a file, to go on from. */
#ifndef DDPM_TUNING_STATE_H
#define DDPM_TUNING_STATE_H
#include "tuning/tuning.h"

/* Writes all that t has, in place of what path held. */
int tuning_state_save(const struct tuning *t, const char *path, ddpm_error *err);
/* Fills an opened t with what path holds.  DDPM_EUSAGE: it was begun with other settings, which are named. */
int tuning_state_load(struct tuning *t, const char *path, ddpm_error *err);
#endif
