/* fractional.c: alpha_bar at a step between two whole steps.  A model knows alpha_bar_t for t = 0..T-1.  In
   between, the logarithm of the signal-to-noise ratio is linear in t: with n = floor(t) and w = t - n,

     l_n = ln(alpha_bar_n / (1 - alpha_bar_n))
     l(t) = (1 - w) l_n + w l_{n+1},   alpha_bar(t) = 1 / (1 + e^-l(t))

   At a whole t this is the model's own number, to the bit.  If alpha_bar_{T-1} is 0, its l is minus
   infinity, so the last interval is linear in alpha_bar instead. */
#include "diffusion/fractional.h"
#include <math.h>

static double log_snr(double alpha_bar)
{
    return log(alpha_bar / (1 - alpha_bar));
}

double dd_fractional_alpha_bar(const double *alpha_bar, int T, double t, double *slope)
{
    int n = (int)t < T - 1 ? (int)t : T - 2;
    if (n < 0 || t >= T - 1)
        n = T > 1 ? T - 2 : 0;
    double w = t - n, low = alpha_bar[n], high = alpha_bar[T > 1 ? n + 1 : n];

    if (high == 0) {
        double here = (1 - w) * low;
        if (slope)
            *slope = -low / (here * (1 - here));
        return here;
    }

    double from = log_snr(low), to = log_snr(high);
    if (slope)
        *slope = to - from;
    if (w == 0 || w == 1)
        return w == 0 ? low : high;
    return 1 / (1 + exp(-((1 - w) * from + w * to)));
}
