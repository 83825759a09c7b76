/* condition.c: guidance with a classifier (Dhariwal and Nichol 2021, arXiv 2105.05233).  With its gradient g
   = grad_x ln p(class | x_t) and a scale w, an ancestral step draws from

     N(mean + w sigma^2 g, sigma^2 I)                       (algorithm 1)

   and any other step goes on from the score of p(x_t) p(class | x_t)^w.  With a = sqrt(alpha_bar_t) and
   s = sqrt(1 - alpha_bar_t) this is

     eps -= w s g                                           (algorithm 2)
     x0  += w (s^2 / a) g,   v -= w (s / a) g

   because x0 = (x_t - s eps) / a and v = a eps - s x0.  Clipping of x0 comes before the mean is moved, and
   after a prediction is moved. */
#include "diffusion/condition.h"
#include <math.h>

void dd_condition_mean(ddpm_sampler *s, double *mean, int k, int i)
{
    const double *g = s->gradient + (size_t)k * s->d;
    double w = s->options.classifier_scale, *variance = s->x0;

    dd_posterior_variance(&s->posterior, variance, dd_sampler_v(s, k), i, s->d);
    for (size_t e = 0; e < s->d; e++)
        mean[e] += w * variance[e] * g[e];
}

/* Returns what one unit of the gradient adds to a prediction at position i. */
static double weight_of(const ddpm_sampler *s, int i)
{
    double ab = s->tables->alpha_bar[i], a = sqrt(ab), of_eps = sqrt(1 - ab);
    double w = s->options.classifier_scale;
    switch (s->options.prediction) {
    case DDPM_X0: return w * of_eps * of_eps / a;
    case DDPM_V: return -w * of_eps / a;
    default: return -w * of_eps;
    }
}

void dd_condition_prediction(ddpm_sampler *s, int i)
{
    size_t size = (size_t)s->options.outputs * s->d;
    double w = weight_of(s, i);

    for (size_t k = 0; k < (size_t)s->live; k++)
        for (size_t e = 0; e < s->d; e++)
            s->output[k * size + e] += w * s->gradient[k * s->d + e];
}
