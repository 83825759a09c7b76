/* noise.c: makes z [d] ~ N(0, I), a function of (seed, image index, the step t, purpose, draw) only, so
   that it depends neither on batch nor on order nor on the number of steps.  t = INFINITY stands for x_T.

   The counter has 32 bits for t, in units of 1/65536, and 24 bits for draw.  Larger numbers would repeat
   the noise of another place, so they give NaN instead. */
#include "diffusion/noise.h"
#include "base/rng.h"
#include <math.h>
#include <stdbool.h>

/* Returns whether t and draw fit into the counter. */
static bool fits(double t, int draw)
{
    bool step = t >= 0 && 65536 * t < UINT32_MAX - 0.5;
    return (step || t == INFINITY) && draw >= 0 && draw < 1 << 24;
}

void dd_noise(double *z, size_t d, struct dd_draw of)
{
    if (!fits(of.t, of.draw)) {
        for (size_t e = 0; e < d; e++)
            z[e] = NAN;
        return;
    }

    struct dd_rng r = { of.seed, of.index, dd_rng_t(of.t), of.purpose << 24 | (uint32_t)of.draw };
    dd_rng_normal(&r, z, d);
}
