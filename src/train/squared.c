/* The objectives that are a weight w_t times the mean of e^2, the squared error of the prediction:

     simple     w_t = 1 (Ho et al. 2020, equation 14), or with min_snr the weight that makes the error of x0
                count min(SNR_t, gamma), where SNR_t = a^2 / s^2 (Hang et al. 2023):
                  eps: min(SNR, gamma) / SNR,   x0: min(SNR, gamma),   v: min(SNR, gamma) / (SNR + 1)

     weighted   w_t of the bound with a fixed variance (Ho et al. 2020, equation 12), times T and in bits:
                  beta^2 / (2 sigma^2 alpha (1 - alpha_bar)) ||eps - eps_theta||^2
                  = mean_x0^2 ||x0 - x0_theta||^2 / (2 sigma^2)
                  w_t = T (mean_x0 c)^2 / (2 sigma^2 ln 2)
                It differs from vlb by what does not depend on the network, and at t = 0, where vlb has the
                decoder.  sigma^2 is the model's beta or beta_tilde, and at t = 0 beta_tilde of t = 1, as in
                posterior.c.

     score      denoising score matching (Vincent 2011), the squared error of the score -eps / s against that
                of q(x_t | x0): 1 / (1 - alpha_bar) times the squared error of eps, which is a c e / s:
                  w_t = (a c / s)^2 / (1 - alpha_bar) */
#include <math.h>
#include "train/objective.h"

static const double ln2 = 0.69314718055994530942;

/* Returns w_t of simple. */
static double simple_weight(const struct dd_loss *l, double alpha_bar)
{
    double snr = alpha_bar / (1 - alpha_bar), least = snr < l->min_snr ? snr : l->min_snr;
    if (l->min_snr == 0)
        return 1;
    if (l->prediction == DDPM_X0)
        return least;
    if (l->prediction == DDPM_V)
        return least / (snr + 1);
    return snr > l->min_snr ? l->min_snr / snr : 1;
}

/* Returns the mean of weight e^2, and turns e into its derivative. */
static double square(const struct dd_loss *l, double *e, double weight)
{
    double d = (double)l->d, sum = 0;
    for (size_t k = 0; k < l->d; k++)
        sum += e[k] * e[k];
    for (size_t k = 0; k < l->d; k++)
        e[k] *= 2 * weight / d;
    return sum * weight / d;
}

double dd_squared_plain(const struct dd_loss *l, double *dp, const struct dd_objective_step *step)
{
    return square(l, dp, simple_weight(l, step->alpha_bar));
}

double dd_squared_simple(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image,
                         const struct dd_objective_step *step)
{
    (void)dv;
    (void)image;
    return dd_squared_plain(l, dp, step);
}

double dd_squared_weighted(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image,
                           const struct dd_objective_step *step)
{
    double lv, away = l->posterior.tables->mean_x0[image->t] * step->c;
    (void)dv;
    dd_posterior_log_variance(&l->posterior, &lv, NULL, image->t, 1);
    return square(l, dp, 0.5 * l->T * away * away * exp(-lv) / ln2);
}

double dd_squared_score(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image,
                        const struct dd_objective_step *step)
{
    /* The error of eps is this many times that of the prediction. */
    double of_eps = l->prediction == DDPM_EPS ? 1 : step->a * step->c / step->s;
    (void)dv;
    (void)image;
    return square(l, dp, of_eps * of_eps / (1 - step->alpha_bar));
}
