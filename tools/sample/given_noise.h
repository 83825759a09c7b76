/* Noise from a file instead of from the seed, for comparing with other implementations: a safetensors file
   with x_T [n, c, h, w] and z [K, n, c, h, w] of any floating type.  Image index i has row i; the j-th
   executed step (t descending) takes z[j]. */
#ifndef DDPM_GIVEN_NOISE_H
#define DDPM_GIVEN_NOISE_H
#include <stdbool.h>
#include "ddpm.h"

struct given_noise {
    double *x_T, *z; /* [n, h, w, c], [K, n, h, w, c] */
    bool draws;      /* z is there */
    int K;
    uint32_t n;
    size_t d;
    const ddpm_tables *chain;
    char sha256[65];
};

/* The needs of a run, which the file must meet. */
struct given_noise_needs {
    const ddpm_about *about;
    const ddpm_chain *chain;
    uint32_t last; /* the largest index */
    bool draws;    /* steps draw noise, else z is not looked at */
};

/* Reads and checks the file.  DDPM_EDATA: it lacks what is needed, or has another shape. */
int given_noise_open(struct given_noise *g, const char *path, const struct given_noise_needs *needs,
                     ddpm_error *err);
void given_noise_close(struct given_noise *g);
ddpm_noise_fn given_noise_draw; /* user: struct given_noise */
#endif
