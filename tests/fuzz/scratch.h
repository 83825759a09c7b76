/* What fuzzers share: what must be so, and for readers that open their files by name a folder in memory, removed at the end of the process, and
   inputs that hold several files. */
#ifndef FUZZ_SCRATCH_H
#define FUZZ_SCRATCH_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

/* Ends as a crash does, unless it is good. */
void require(int good);
/* A reader that refuses says in one line what is wrong with the data or with what was asked for. */
void refused(int code, const ddpm_error *err);
/* "FOLDER/NAME", until the fourth call from here. */
const char *scratch_path(const char *name);
void scratch_folder(const char *name); /* makes it, once */
/* The file is data [size], in place of an old one; there is none when size is 0. */
void scratch_write(const char *name, const uint8_t *data, size_t size);
/* Takes what stands before the next line "%%", or all of it, off the front of *data [*size]; returns its size. */
size_t scratch_part(const uint8_t **part, const uint8_t **data, size_t *size);
#endif
