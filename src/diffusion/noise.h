/* The noise of sampling and of bounds, see ddpm_noise. */
#ifndef DD_NOISE_H
#define DD_NOISE_H
#include <stddef.h>
#include <stdint.h>

/* All that noise depends on. */
struct dd_draw {
    uint64_t seed;
    uint32_t index;   /* the image */
    double t;         /* the step; INFINITY is x_T */
    uint32_t purpose; /* DD_RNG_SAMPLE... of base/rng.h */
    int draw;         /* how often this step has drawn before */
};

/* Fills z [d] ~ N(0, I). */
void dd_noise(double *z, size_t d, struct dd_draw of);
#endif
