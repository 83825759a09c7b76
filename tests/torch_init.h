/* Weights and noise as torch draws them on the CPU, so that a network can be rebuilt from a seed
   instead of a file (checkpoint-families.md 9.1). The generator is MT19937. */
#ifndef TORCH_INIT_H
#define TORCH_INIT_H
#include <stddef.h>
#include <stdint.h>
#include "ddpm.h"

struct torch_random {
    uint32_t state[624];
    int next;
};

void torch_seed(struct torch_random *r, uint64_t seed);
uint32_t torch_word(struct torch_random *r);
/* Fills z [n] with torch.randn(n) in float32; n is at least 16, below which torch draws in another
   way. */
void torch_randn(struct torch_random *r, float *z, size_t n);
/* Fills a model of arch "ddpm" with the weights that torch.manual_seed(seed); UNet2DModel(...)
   makes, the time frequencies included. */
void torch_init(ddpm_model *m, uint64_t seed, int freq_shift);
/* Copies z [c, h, w] to x [h, w, c], and x back to z. */
void torch_to_nhwc(float *x, const float *z, int c, int h, int w);
void torch_to_nchw(float *z, const float *x, int c, int h, int w);
#endif
