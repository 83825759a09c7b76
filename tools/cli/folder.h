/* The folder in which a run works.  It is made, locked while the run works, and cleaned of half-written
   files that killed runs left.  Functions that return an int return a DDPM_...  code. */
#ifndef DDPM_FOLDER_H
#define DDPM_FOLDER_H
#include <stdbool.h>
#include "base/system.h"
#include "ddpm.h"

/* Makes a folder if it is missing, and synchronises its name.  The folder above has to exist. */
int folder_make(const char *path, ddpm_error *err);
/* Waits until new and removed names in a folder are on the disk, if the file system can do that. */
int folder_synchronise(const char *path, ddpm_error *err);

/* A lock of a folder, and of a part of it.  The end of the process releases it too. */
struct folder_lock {
    int folder, part;            /* descriptors; -1: not locked */
    struct dd_system_file about; /* the folder */
    char *path;                  /* path of the part, allocated */
};
extern const struct folder_lock folder_not_locked;
/* Locks a whole folder (part NULL), or a part of it: the file `part`, which is made if it is missing, and
   removed by folder_unlock if it is still empty.  Several parts of a folder can be locked at once, but not
   together with the whole.  A folder that does not exist is not locked, which is no error.  TRY_LATER:
   another process has held the lock for `wait` seconds, or this program is interrupted; advice ends the
   sentence. */
int folder_lock(struct folder_lock *l, const char *path, const char *part, double wait, const char *advice,
                ddpm_error *err);
void folder_unlock(struct folder_lock *l);
/* Returns whether a name, in any case of letters, belongs to one of the program's own files in such a
   folder: manifest, saved batch, temporary file. */
bool folder_own_name(const char *name);
/* Returns DDPM_EDATA unless path is free or a regular file.  A link would lead out of the folder. */
int folder_regular(const char *path, ddpm_error *err);
/* Returns DDPM_ECREATE when files of other programs lie in the folder.  Hidden files do not count. */
int folder_unshared(const char *path, ddpm_error *err);
/* Removes the temporary files of killed runs. */
int folder_clean(const char *path, ddpm_error *err);
#endif
