/* Given noise is read from a file instead of drawn from the seed, to compare with other implementations.  The
   file is a safetensors file with x_T [n, c, h, w] and z [K, n, c, h, w] of any floating type.  Image index i
   has row i; the j-th executed step (t descending) takes z[j]. */
#ifndef DDPM_GIVEN_NOISE_H
#define DDPM_GIVEN_NOISE_H
#include <stdbool.h>
#include "ddpm.h"

struct given_noise {
    double *x_T, *z; /* [n, h, w, c], [K, n, h, w, c] */
    bool draws;      /* the steps draw noise, so z was read */
    int K;           /* steps of the chain */
    uint32_t n;      /* images in the file */
    size_t d;        /* values of an image */
    const ddpm_tables *chain;
    char sha256[65]; /* hash of the file */
};

/* The needs of a run, which the file must meet. */
struct given_noise_needs {
    const ddpm_about *about;
    const ddpm_chain *chain;
    uint32_t last; /* the largest index of an image that will be drawn */
    bool draws;    /* the steps draw noise; if not, z is not read */
};

/* Reads and checks the file.  DDPM_EDATA: a tensor is missing, has too few images or steps, or another
   shape. */
int given_noise_open(struct given_noise *g, const char *path, const struct given_noise_needs *needs,
                     ddpm_error *err);
void given_noise_close(struct given_noise *g);
/* Copies the noise of one image and step.  user: struct given_noise; t INFINITY: x_T. */
ddpm_noise_fn given_noise_draw;
#endif
