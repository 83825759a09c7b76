/* Keeps a run of `ddpm tune` in a file, from which the next start goes on. */
#ifndef DDPM_TUNING_STATE_H
#define DDPM_TUNING_STATE_H
#include "tuning/tuning.h"

/* Writes t to path, in place of a file that is there. */
int tuning_state_save(const struct tuning *t, const char *path, ddpm_error *err);
/* Fills an opened t from the file at path.  DDPM_EUSAGE: it was begun with other settings, which are named.
   DDPM_EDATA: it is damaged or no such file. */
int tuning_state_load(struct tuning *t, const char *path, ddpm_error *err);
#endif
