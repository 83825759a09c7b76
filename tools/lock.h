/* One at a time: a lock on a folder, which ends with the process that holds it, however it ends. */
#ifndef DDPM_LOCK_H
#define DDPM_LOCK_H
#include "ddpm.h"

/* *fd holds the lock until it is closed; -1: the folder does not exist, or its file system has no locks.  TRY_LATER: held by somebody
   else for wait seconds, or interrupted. */
int lock_folder(int *fd, const char *folder, double wait, ddpm_error *err);
#endif
