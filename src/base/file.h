/* Files: whole ones mapped for reading; new ones written beside their place and renamed into it when complete. */
#ifndef DD_FILE_H
#define DD_FILE_H
#include <stdio.h>
#include "base/error.h"

struct dd_file { const unsigned char *data; size_t size; };
/* A regular file, read-only.  DDPM_EMISSING, DDPM_EPERM, DDPM_EIO, DDPM_EDATA (a folder, a device). */
int  dd_file_map(struct dd_file *f, const char *path, ddpm_error *err);
void dd_file_unmap(struct dd_file *f);

/* A temporary in the same folder; nothing is seen at path until commit: fflush, fsync, rename, fsync of the folder.
   replace 0: commit fails with DDPM_ECREATE when path exists (checked at create and, race-free, at commit). */
struct dd_output { FILE *stream; char *path, *temporary; int replace; };
int  dd_output_create(struct dd_output *o, const char *path, int replace, ddpm_error *err);
int  dd_output_commit(struct dd_output *o, ddpm_error *err);          /* always ends the output, also when it fails */
void dd_output_abandon(struct dd_output *o);                          /* removes the temporary; nothing on an ended output */
#endif
