/* The noise of sampling, see ddpm_noise. */
#ifndef DD_NOISE_H
#define DD_NOISE_H
#include <stddef.h>
#include <stdint.h>

void dd_noise(double *z, uint64_t seed, uint32_t index, double t, int draw, size_t d);
#endif
