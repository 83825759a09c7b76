/* A folder that a run works in: made, its own while it works, and rid of what killed runs left half-written. */
#ifndef DDPM_FOLDER_H
#define DDPM_FOLDER_H
#include "ddpm.h"

/* Makes it where it is missing, its name on the disk.  The folder above must be there. */
int folder_make(const char *path, ddpm_error *err);
/* Names in it that came or went are on the disk from then on, where the file system can do that. */
int folder_synchronise(const char *path, ddpm_error *err);
/* *fd holds the lock until it is closed, which the end of the process does too; -1: the folder does not exist.  TRY_LATER: held by somebody
   else for wait seconds, or interrupted; advice follows "try again later". */
int folder_lock(int *fd, const char *path, double wait, const char *advice, ddpm_error *err);
/* Removes the temporaries that no process holds. */
int folder_clean(const char *path, ddpm_error *err);
#endif
