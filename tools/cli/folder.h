/* A folder that a run works in: made, its own while it works, and rid of what killed runs left half-written. */
#ifndef DDPM_FOLDER_H
#define DDPM_FOLDER_H
#include <stdbool.h>
#include "ddpm.h"

/* Makes it where it is missing, its name on the disk.  The folder above must be there. */
int folder_make(const char *path, ddpm_error *err);
/* Names in it that came or went are on the disk from then on, where the file system can do that. */
int folder_synchronise(const char *path, ddpm_error *err);

/* What holds a folder, or a part of it, until it is closed, which the end of the process does too; -1: nothing. */
struct folder_lock {
    int folder, part;
    char *path;
};
extern const struct folder_lock folder_not_locked;
/* part NULL: the whole folder.  Otherwise the file of this path, which is made where it is missing and goes if it is still empty at the end, and
   of the folder only that nobody else has the whole.  Nothing is locked when the folder does not exist.  TRY_LATER: held by somebody else for
   wait seconds, or interrupted; advice follows "try again later". */
int folder_lock(struct folder_lock *l, const char *path, const char *part, double wait, const char *advice,
                ddpm_error *err);
void folder_unlock(struct folder_lock *l);
/* Whether the program's own files in such a folder (manifest, saved batch, temporary) are called so, in
   whatever case of letters. */
bool folder_own_name(const char *name);
/* DDPM_EDATA unless nothing, or a regular file itself, is at path: a link would lead out of the folder. */
int folder_regular(const char *path, ddpm_error *err);
/* DDPM_ECREATE when files of others lie in the folder.  Hidden ones do not count. */
int folder_unshared(const char *path, ddpm_error *err);
/* Removes the temporaries that no process holds. */
int folder_clean(const char *path, ddpm_error *err);
#endif
