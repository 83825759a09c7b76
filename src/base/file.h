/* Files: whole ones mapped for reading; new ones written beside their place and renamed into it when complete. */
#ifndef DD_FILE_H
#define DD_FILE_H
#include <stdio.h>
#include <sys/types.h>
#include <time.h>
#include "base/error.h"

/* data [size], never NULL once mapped; the rest says which file it is and when it was last written. */
struct dd_file {
    const unsigned char *data;
    size_t size;
    dev_t device;
    ino_t inode;
    struct timespec written;
};

/* A regular file, read-only; an empty one has size 0.  DDPM_EMISSING, DDPM_EPERM, DDPM_EIO, DDPM_ENOMEM, DDPM_EDATA (a folder, a
   device).  Whoever replaces the file by rename, as below, leaves the mapping whole. */
int dd_file_map(struct dd_file *f, const char *path, ddpm_error *err);
void dd_file_unmap(struct dd_file *f); /* nothing on one that failed, or twice */
/* To be asked once all is read: DDPM_EDATA when somebody has written into the file since it was mapped. */
int dd_file_unchanged(const struct dd_file *f, const char *path, ddpm_error *err);
/* Gives the memory of a part of the mapping back; who reads there again fetches it again.  Nothing on other memory. */
void dd_file_forget(const struct dd_file *f, const void *data, size_t size);
/* The first line of the file whose path is root, folder and name joined, without its end, cut to size; 0 when there is none. */
int dd_file_line(char *line, int size, const char *root, const char *folder, const char *name);
/* The code for an errno; missing: that of a path which leads nowhere, DDPM_EMISSING for an input, DDPM_ECREATE for an output. */
int dd_file_code(int number, int missing);

/* A private temporary in the same folder; nothing is seen at path until commit: flush, fsync, rename, fsync
   of the folder.  A symbolic link to a regular file, or to nothing, is replaced itself; whatever else is no
   regular file never is.
   replace 0: DDPM_ECREATE when path exists (looked at in create and, without a race, in commit). */
/* temporary NULL: a device or pipe; standard: standard output */
struct dd_output {
    FILE *stream;
    char *path, *temporary;
    int replace, standard;
};

int dd_output_create(struct dd_output *o, const char *path, int replace, ddpm_error *err);
/* The same; a device, a pipe, a link to one, or "-", standard output, is opened and written to as it is. */
int dd_output_create_any(struct dd_output *o, const char *path, int replace, ddpm_error *err);
int dd_output_commit(struct dd_output *o,
                     ddpm_error *err); /* always ends the output; when it fails nothing is left behind */
void dd_output_abandon(struct dd_output *o); /* removes the temporary; nothing on an ended output */
#endif
