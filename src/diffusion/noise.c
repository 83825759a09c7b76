/* noise.c: z [d] ~ N(0, I), a function of (seed, image index, the step t, purpose, draw) and of nothing else: so neither batch nor
   order nor the number of steps shows in it.  t = INFINITY is x_T. */
#include "diffusion/noise.h"
#include "base/rng.h"

void dd_noise(double *z, uint64_t seed, uint32_t index, double t, uint32_t purpose, int draw, size_t d)
{
    struct dd_rng r = { seed, index, dd_rng_t(t), purpose << 24 | (uint32_t)draw };
    dd_rng_normal(&r, z, d);
}
