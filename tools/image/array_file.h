/* Arrays in the format of numpy, written piece by piece. */
#ifndef DDPM_ARRAY_FILE_H
#define DDPM_ARRAY_FILE_H
#include <stdio.h>
#include "ddpm.h"

/* The most bytes of a head. */
enum { ARRAY_HEAD = 320 };

/* Fills head with that of a .npy file of these sizes, dim [rank], in C order, and returns its length.  type:
   "<f4" (float32), "|u1" (bytes) or "<i8" (whole numbers).  The values follow it. */
size_t array_head_bytes(unsigned char head[ARRAY_HEAD], const char *type, const size_t *dim, int rank);
/* Writes such a head. */
int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err);
/* Writes n values as float32. */
int array_values(FILE *f, const double *x, size_t n, ddpm_error *err);
#endif
