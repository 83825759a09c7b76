/* The noise of sampling and of bounds, see ddpm_noise. */
#ifndef DD_NOISE_H
#define DD_NOISE_H
#include <stddef.h>
#include <stdint.h>

/* Fills z [d].  purpose is one of DD_RNG_SAMPLE... in base/rng.h. */
void dd_noise(double *z, uint64_t seed, uint32_t index, double t, uint32_t purpose, int draw, size_t d);
#endif
