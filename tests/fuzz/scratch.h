/* Shared parts of the fuzzers: conditions that must hold, a folder in memory for readers that open
   their files by name (removed at the end of the process), and inputs that hold several files. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

/* Ends the process as a crash does, unless `good` is true. */
void require(int good);
/* Requires that a reader that refuses (code is not 0) says in one line what is wrong with the data or
   with what was asked for. */
void refused(int code, const ddpm_error *err);
/* Returns "FOLDER/NAME". The result is overwritten by the fourth call after this one. */
const char *scratch_path(const char *name);
void scratch_folder(const char *name); /* makes it, once */
/* Writes data [size] in place of an old file; with size 0 there is no file afterwards. */
void scratch_write(const char *name, const uint8_t *data, size_t size);
/* Takes what stands before the next line "%%", or all of it, off the front of *data [*size]. Returns its
   size. */
size_t scratch_part(const uint8_t **part, const uint8_t **data, size_t *size);
#endif
