/* Reads and writes files.  Whole files are mapped for reading.  New files are written beside their place
   and renamed into it when they are complete. */
#ifndef DD_FILE_H
#define DD_FILE_H
#include <stdio.h>
#include "base/error.h"
#include "base/system.h"

/* ---- reading ---- */

/* A mapped file.  data [size] is never NULL once it is mapped.  `about` says which file it is, and when it
   was last written. */
struct dd_file {
    const unsigned char *data;
    size_t size;
    struct dd_system_file about;
};

/* Maps a regular file for reading; an empty file has size 0.  The mapping stays whole when somebody
   replaces the file by rename.  DDPM_EMISSING, DDPM_EPERM, DDPM_EIO, DDPM_ENOMEM; DDPM_EDATA: it is a
   folder or a device. */
int dd_file_map(struct dd_file *f, const char *path, ddpm_error *err);

/* Unmaps the file.  Does nothing if it is not mapped. */
void dd_file_unmap(struct dd_file *f);

/* Returns DDPM_EDATA if somebody has written into the file since it was mapped.  It is called after
   everything has been read. */
int dd_file_unchanged(const struct dd_file *f, const char *path, ddpm_error *err);

/* Gives the memory of a part of the mapping back; reading there again fetches it again.  Does nothing to
   other memory. */
void dd_file_forget(const struct dd_file *f, const void *data, size_t size);

/* Fills line with the first line, without its end and cut to size, of the file whose path is root, folder
   and name joined.  Returns 0 when there is no line. */
int dd_file_line(char *line, int size, const char *root, const char *folder, const char *name);

/* Returns the code for an errno.  missing is the code for a path that leads nowhere: DDPM_EMISSING for an
   input, DDPM_ECREATE for an output. */
int dd_file_code(int number, int missing);

/* ---- writing ---- */

/* A file being written, as a private temporary in the folder of its path.  Nothing appears at path until
   the commit, which flushes, synchronises, renames, and synchronises the folder.

   A symbolic link to a regular file or to nothing is itself replaced.  Other things that are not regular
   files are never replaced.  With replace 0, an existing path is DDPM_ECREATE.  create tests this, and
   commit tests it again without a race.

   temporary is NULL if the output goes to a device or pipe.  standard says that it goes to standard
   output. */
struct dd_output {
    FILE *stream;
    char *path, *temporary;
    int replace, standard;
};

int dd_output_create(struct dd_output *o, const char *path, int replace, ddpm_error *err);

/* Checks that an output can be created later, by creating one and removing it. */
int dd_output_check(const char *path, int replace, ddpm_error *err);

/* Creates an output like dd_output_create.  A device, a pipe, a link to one, or "-" for standard output, is
   opened and written to as it is. */
int dd_output_create_any(struct dd_output *o, const char *path, int replace, ddpm_error *err);

/* Ends the output in every case.  A failure leaves nothing behind. */
int dd_output_commit(struct dd_output *o, ddpm_error *err);

/* Removes the temporary.  Does nothing if the output has ended. */
void dd_output_abandon(struct dd_output *o);
#endif
