/* Computes the exponential moving average of the weights (Polyak and Juditsky 1992; Ho et al. 2020,
   appendix B). Its decay grows with the steps, so that the first weights are soon forgotten:

     average <- average + (1 - d_n) (w - average)
     d_n = min(decay, (1 + n) / (10 + n)),   n = 0, 1, ... steps before this one

   The average is a sum of two floats, the rounded sum and the rest.  With a decay near 1 one step changes
   less than the last place of a single float. */
#include "train/average.h"
#include "layer/parallel.h"

enum { CHUNK = 1 << 16 };

double dd_average_decay(double decay, int64_t done)
{
    double early = (1 + (double)done) / (10 + (double)done);
    return early < decay ? early : decay;
}

void dd_average_step(const struct dd_context *ctx, float *average, float *low, const float *w, size_t n,
                     double decay)
{
    float rate = (float)(1 - decay); /* double keeps digits that a float near 1 would lose */

    DD_TASKS(ctx->worker, c, dd_blocks(n, CHUNK))
        ctx->k->lerp(average + c * CHUNK, low + c * CHUNK, w + c * CHUNK, rate, dd_min(CHUNK, n - c * CHUNK));
}
