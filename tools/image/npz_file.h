/* Writes a .npz, the archive of arrays of np.savez. */
#ifndef DDPM_NPZ_FILE_H
#define DDPM_NPZ_FILE_H
#include <stdint.h>
#include <stdio.h>
#include "ddpm.h"

/* An array of an archive: a whole .npy file in memory. */
struct npz_array {
    const char *name; /* "arr_0.npy" */
    const void *data;
    size_t size;
};

/* Writes the arrays into f, which is empty and can be sought in.  The same arrays give the same bytes.
   DDPM_EIO, DDPM_ENOMEM. */
int npz_write(FILE *f, const struct npz_array *array, int arrays, ddpm_error *err);
#endif
