/* The objectives of the variational bound (Ho et al. 2020, equation 5; Nichol and Dhariwal 2021, section
   3).  L_t is the term of diffusion/bound.c (t = 0: of decoder.c), with x0 not clipped:

     vlb      T L_t in bits per dimension, which is the whole bound but for L_T on average over t
     hybrid   L_simple + L_vlb / 1000, where L_vlb is not differentiated through p

   In the letters of objective.h:

     L_t = mean (u + exp(-u) - 1 + (mean_x0 c e)^2 exp(-lv)) / 2,
           lv = ln sigma^2, fixed or as v says,   u = lv - ln beta_tilde
     dL_t/dlv = (1 - exp(-u) - (mean_x0 c e)^2 exp(-lv)) / 2   (over d)
     dL_t/de  = (mean_x0 c)^2 e exp(-lv)                       (over d) */
#include <math.h>
#include "diffusion/decoder.h"
#include "train/objective.h"

static const double ln2 = 0.69314718055994530942;

/* Returns the derivative of ln sigma^2 by v. */
static double slope_by_v(const struct dd_posterior *p, int t)
{
    switch (p->variance) {
    case DDPM_LEARNED: return 1;
    case DDPM_LEARNED_RANGE: return 0.5 * (p->log_large[t] - p->log_small[t]);
    default: return 0;
    }
}

/* Returns the sum over d of L_t in nats, and fills dv with its derivatives by v.  Unless `keep` is set, its
   derivatives by p replace the errors of p in de. */
static double bound(const struct dd_loss *l, double *de, double *dv, const struct dd_loss_image *image,
                    double c, bool keep)
{
    const struct dd_posterior *p = &l->posterior;
    const double *x0 = image->x0;
    int t = image->t;
    double sum = 0, away = p->tables->mean_x0[t] * c, by_v = slope_by_v(p, t);

    dd_posterior_log_variance(p, dv, image->v, t, l->d);
    for (size_t e = 0; e < l->d; e++) {
        double lv = dv[e], by_lv, by_p;

        if (t == 0) {
            /* The term of the decoder, whose mean is x0_theta. */
            sum += dd_decoder_gradient(&by_p, &by_lv, x0[e], x0[e] - c * de[e], exp(0.5 * lv));
            by_p *= -c;
        } else {
            double u = lv - p->log_small[t], less = expm1(-u), square = away * away * exp(-lv);
            sum += 0.5 * (u + less + square * de[e] * de[e]);
            by_lv = -0.5 * (less + square * de[e] * de[e]);
            by_p = square * de[e];
        }

        dv[e] = by_lv * by_v;
        de[e] = keep ? de[e] : by_p;
    }
    return sum;
}

/* Multiplies n numbers by a factor. */
static void multiply(double *x, double factor, size_t n)
{
    for (size_t e = 0; e < n; e++)
        x[e] *= factor;
}

double dd_vlb(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image,
              const struct dd_objective_step *step)
{
    double bits = l->T / ((double)l->d * ln2), vlb = bound(l, dp, dv, image, step->c, false);
    multiply(dp, bits, l->d);
    multiply(dv, bits, l->d);
    return vlb * bits;
}

double dd_vlb_hybrid(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image,
                     const struct dd_objective_step *step)
{
    double bits = l->T / ((double)l->d * ln2), vlb = bound(l, dp, dv, image, step->c, true);
    multiply(dv, bits / 1000, l->d);
    return dd_squared_plain(l, dp, step) + vlb * bits / 1000;
}
