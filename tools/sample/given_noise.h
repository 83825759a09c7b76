/* Noise from a file instead of from the seed, for comparing with other implementations: a safetensors file
   with x_T [n, c, h, w] and z [K, n, c, h, w] of any floating type; image index i has row i, the j-th
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

/* last: the largest index that will be asked for; draws: steps draw noise, else z is not looked at. */
int given_noise_open(struct given_noise *g, const char *path, const ddpm_about *a, const ddpm_chain *chain,
                     uint32_t last, bool draws, ddpm_error *err);
void given_noise_close(struct given_noise *g);
ddpm_noise_fn given_noise_draw; /* user: struct given_noise */
#endif
