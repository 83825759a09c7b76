/* Arrays in the format of numpy, written piece by piece. */
#ifndef DDPM_ARRAY_FILE_H
#define DDPM_ARRAY_FILE_H
#include <stdio.h>
#include "ddpm.h"

/* Writes the head of a .npy file of these sizes, dim [rank], in C order.  type: "<f4" (float32) or
   "|u1" (bytes).  The values follow it. */
int array_head(FILE *f, const char *type, const size_t *dim, int rank, ddpm_error *err);
/* Writes n values as float32. */
int array_values(FILE *f, const double *x, size_t n, ddpm_error *err);
#endif
