/* A folder that a run works in: it is made, locked while the run works, and cleaned of what killed runs left
   half-written.  All functions return a DDPM_... code where they return an int. */
#ifndef DDPM_FOLDER_H
#define DDPM_FOLDER_H
#include <stdbool.h>
#include "ddpm.h"

/* Makes a folder where it is missing, and synchronises its name.  The folder above must be there. */
int folder_make(const char *path, ddpm_error *err);
/* Waits until names that came or went in a folder are on the disk, where the file system can do that. */
int folder_synchronise(const char *path, ddpm_error *err);

/* A lock of a folder, and of a part of it.  The end of the process releases it too. */
struct folder_lock {
    int folder, part; /* descriptors, -1: none */
    char *path;       /* of the part */
};
extern const struct folder_lock folder_not_locked;
/* Locks a whole folder (part NULL), or a part of it: the file of this path, which is made where it is missing
   and removed by folder_unlock if it is still empty.  Several parts of a folder can be locked at once, but not
   together with the whole.  A folder that does not exist is not locked, which is no error.  TRY_LATER: somebody
   else has held the lock for `wait` seconds, or this program is interrupted; advice ends the sentence. */
int folder_lock(struct folder_lock *l, const char *path, const char *part, double wait, const char *advice,
                ddpm_error *err);
void folder_unlock(struct folder_lock *l);
/* Returns whether one of the program's own files in such a folder (manifest, saved batch, temporary) has this
   name, in any case of letters. */
bool folder_own_name(const char *name);
/* Returns DDPM_EDATA unless nothing or a regular file is at path: a link would lead out of the folder. */
int folder_regular(const char *path, ddpm_error *err);
/* Returns DDPM_ECREATE when files of other programs lie in the folder.  Hidden ones do not count. */
int folder_unshared(const char *path, ddpm_error *err);
/* Removes the temporaries that killed runs have left. */
int folder_clean(const char *path, ddpm_error *err);
#endif
