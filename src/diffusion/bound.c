/* bound.c: the variational bound of an image on any chain i = 0, ..., K-1, in bits per dimension (Ho et al.
   2020, equation 5):

     -log2 p(x0) / d <= L_T + sum_{i=1}^{K-1} L_i + L_0

     x_i = sqrt(alpha_bar_i) x0 + sqrt(1 - alpha_bar_i) z_i,   one z_i for each term
     L_T = KL(q(x_{K-1} | x0) || N(0, I))
         = (alpha_bar x0^2 - alpha_bar - ln(1 - alpha_bar)) / 2,   alpha_bar at K-1
     L_i = KL(q(x_{i-1} | x_i, x0) || p(x_{i-1} | x_i))
         = (u + e^-u - 1 + mean_x0_i^2 (x0 - x0_theta)^2 / sigma_i^2) / 2
           u = ln sigma_i^2 - ln beta_tilde_i
     L_0 = -ln p(x0 | x_1), the decoder around x0_theta of variance sigma_0^2 (decoder.c)

   L_i has this form because the two means differ in x0 alone.  All are means over d, divided by ln 2.

   sigma can be any variance of posterior.c.  As in improved-diffusion, its first element is beta_tilde_1 of
   this chain.  (Analytic-DPM takes beta_tilde_1 of the full chain; our analytic variance has a value of its
   own.)  x0_theta is clipped as the options say, for every kind of prediction.  A bound should clip as
   training did.

   With each term come, for each image,

     mse_x0  = (x0 - x0_theta)^2
     mse_eps = (z - eps_theta)^2,   eps_theta from the clipped x0_theta
     gamma   = ||eps||^2 / d,       eps as the network has it
     mse     = (z - eps)^2

   The last two are what model files store as stats.gamma and stats.mse. */
#include "diffusion/bound.h"
#include "base/rng.h"
#include "diffusion/decoder.h"
#include "diffusion/marginal.h"
#include "diffusion/score.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A term has five values: the term itself, mse_eps, mse_x0, gamma, mse. */
enum { PARTS = 5 };

static const double ln2 = 0.69314718055994530942;

static const struct dd_sampler_kind kind = { .traits = { .takes_variance = 1 }, .buffers = 2 };

static int allocate(ddpm_bound *b, ddpm_error *err)
{
    size_t batch = (size_t)b->s->batch, K = (size_t)b->s->tables->K;

    b->image = dd_memory(batch, sizeof *b->image);
    b->part = dd_memory(batch * PARTS, K * sizeof *b->part);
    b->work = dd_memory(2 * b->s->d, sizeof *b->work);
    if (!b->image || !b->part || !b->work)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for the bounds of %zu images of %zu steps; a smaller batch needs less",
                        batch, K);

    /* part is [batch, PARTS, K]; the caller sees its rows through image. */
    for (size_t row = 0; row < batch; row++) {
        const double *part = b->part + row * PARTS * K;
        b->image[row] = (ddpm_bound_image){
            .term = part,
            .mse_eps = part + K,
            .mse_x0 = part + 2 * K,
            .gamma = part + 3 * K,
            .mse = part + 4 * K,
        };
    }
    return DDPM_OK;
}

int dd_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d, int batch,
                    char *warning, ddpm_error *err)
{
    ddpm_bound *made = dd_memory(1, sizeof *made);
    ddpm_sampler_options own = *o;
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a bound");

    struct dd_sampler_plan plan = {
        .kind = &kind,
        .purpose = DD_RNG_EVAL,
        .chain = c,
        .options = &own,
        .d = d,
        .batch = batch,
    };
    own.sampler = NULL;
    own.eta = own.order = own.corrector = 0;

    int code = dd_sampler_create(&made->s, &plan, warning, err);
    if (!code)
        code = allocate(made, err);

    if (code)
        dd_bound_free(made);
    else
        *b = made;
    return code;
}

void dd_bound_free(ddpm_bound *b)
{
    if (!b)
        return;
    dd_sampler_free(b->s);
    dd_memory_free(b->image);
    dd_memory_free(b->part);
    dd_memory_free(b->work);
    dd_memory_free(b);
}

/* Returns v, or 0 if v is negative, which only rounding can cause.  NaN stays NaN. */
static double not_negative(double v)
{
    return v < 0 ? 0 : v;
}

/* Returns L_T of one image. */
static double prior(const double *x0, double alpha_bar, size_t d)
{
    double sum = 0;
    for (size_t e = 0; e < d; e++)
        sum += alpha_bar * x0[e] * x0[e];
    return 0.5 * not_negative(sum / (double)d - alpha_bar - log1p(-alpha_bar)) / ln2;
}

int dd_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes, int n,
                   ddpm_error *err)
{
    ddpm_sampler *s = b->s;
    int K = s->tables->K, code = dd_sampler_start(s, index, classes, n, x0, K - 1, err);
    if (code)
        return code;

    /* Buffer 1 keeps x0, from which every term makes its own x_i. */
    memcpy(dd_sampler_row(s, 1, 0), x0, (size_t)n * s->d * sizeof *x0);
    memset(b->part, 0, (size_t)s->batch * PARTS * (size_t)K * sizeof *b->part);

    for (int row = 0; row < n; row++) {
        b->image[row].prior = prior(x0 + (size_t)row * s->d, s->tables->alpha_bar[K - 1], s->d);
        b->image[row].total = b->image[row].prior;
    }
    return DDPM_OK;
}

/* Returns L_i of one image, given x0_theta and ln sigma^2. */
static double term(const struct dd_posterior *p, const double *x0, const double *theta, const double *lv,
                   int i, size_t d)
{
    double sum = 0, of_x0 = p->tables->mean_x0[i];

    for (size_t e = 0; e < d; e++) {
        double u = lv[e] - p->log_small[i], away = of_x0 * (x0[e] - theta[e]);
        if (i == 0)
            sum += not_negative(dd_decoder_nats(x0[e], theta[e], exp(0.5 * lv[e])));
        else
            sum += 0.5 * (not_negative(u + expm1(-u)) + away * away * exp(-lv[e]));
    }
    return sum / (double)d / ln2;
}

/* Measures the term of the k-th live image at position i, after the prediction. */
static void measure(ddpm_bound *b, int k, int i)
{
    ddpm_sampler *s = b->s;
    size_t d = s->d, K = (size_t)s->tables->K;
    const double *xi = dd_sampler_row(s, 0, k), *x0 = dd_sampler_row(s, 1, k);
    const double *theta = dd_sampler_x0(s, xi, k, i), *z = dd_sampler_noise(s, k, i, 0);
    double *part = b->part + (size_t)s->row[k] * PARTS * K + i, *lv = b->work, *eps = lv + d;
    double alpha_bar = s->tables->alpha_bar[i];

    dd_posterior_log_variance(&s->posterior, lv, dd_sampler_v(s, k), i, d);
    part[0] = term(&s->posterior, x0, theta, lv, i, d);

    dd_marginal_eps(eps, xi, theta, alpha_bar, d);
    part[K] = dd_score_simple(eps, z, d);
    part[2 * K] = dd_score_simple(theta, x0, d);

    dd_sampler_eps(s, eps, xi, k, i);
    part[4 * K] = dd_score_simple(eps, z, d);

    /* gamma is a mean square, computed as the mean squared difference from zeros. */
    memset(lv, 0, d * sizeof *lv);
    part[3 * K] = dd_score_simple(eps, lv, d);

    b->image[s->row[k]].total += part[0];
}

int dd_bound_step(ddpm_bound *b, ddpm_error *err)
{
    ddpm_sampler *s = b->s;
    int i = s->i, before = s->live;
    if (i < 0 || !before)
        return dd_error(err, DDPM_EUSAGE, "no term is left to measure");

    /* Makes x_i by the jump from x0. */
    for (int k = 0; k < before; k++)
        dd_marginal_xt(dd_sampler_row(s, 0, k), dd_sampler_row(s, 1, k), dd_sampler_noise(s, k, i, 0),
                       s->tables->alpha_bar[i], s->d);

    int code = dd_sampler_predict(s, 0, i, err);
    if (code)
        return code;
    for (int k = 0; k < s->live; k++)
        measure(b, k, i);

    s->i--;
    return s->live < before ? DDPM_ENAN : DDPM_OK;
}
