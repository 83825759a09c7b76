/* own_eps [STEPS [IMAGES]]: an eps network of one's own, with the samplers of ddpm.

   Data x0 ~ N(m, s^2) make x_t ~ N(sqrt(alpha_bar) m, alpha_bar s^2 + 1 - alpha_bar), and the best eps
   is known:

     E[eps | x_t] = sqrt(1 - alpha_bar) (x_t - sqrt(alpha_bar) m) / (alpha_bar s^2 + 1 - alpha_bar)

   It stands for any network here.  The program prints the mean and the deviation of the samples beside m and
   s. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <ddpm.h>

enum { T = 1000, D = 64 };

struct gauss {
    double mean, deviation, beta[T], alpha_bar[T];
};

/* A ddpm_eps_fn: the samplers see a network as nothing more than this. */
static int gauss_eps(void *user, double *out, const double *x, double t, const int32_t *classes, int n,
                     ddpm_error *err)
{
    const struct gauss *g = user;
    double alpha_bar = g->alpha_bar[(int)t];
    double variance = alpha_bar * g->deviation * g->deviation + 1 - alpha_bar;
    (void)classes; /* this model has none */
    (void)err;     /* and cannot fail */

    for (int k = 0; k < n * D; k++)
        out[k] = sqrt(1 - alpha_bar) * (x[k] - sqrt(alpha_bar) * g->mean) / variance;
    return 0;
}

/* Makes images; *x [images, D] belongs to *sampler, which the caller frees. */
static int sample(const double **x, ddpm_sampler **sampler, struct gauss *g, const char *steps, int images,
                  ddpm_error *err)
{
    /* The samplers need no more of a model than this. */
    ddpm_about about = {
        .steps = T,
        .channels = 1,
        .outputs = 1,
        .prediction = DDPM_EPS,
        .beta = g->beta,
        .alpha_bar = g->alpha_bar,
    };
    ddpm_sampler_options o;
    ddpm_chain *chain = NULL;

    /* An image's noise depends on the seed and its index. */
    uint32_t *index = malloc((size_t)images * sizeof *index);
    for (int i = 0; index && i < images; i++)
        index[i] = (uint32_t)i;

    ddpm_sampler_defaults(&o, &about);
    o.sampler = "ode";
    o.eps = gauss_eps;
    o.eps_user = g;

    int code = ddpm_chain_respace(&chain, &about, steps, NULL, err);
    if (!code)
        code = ddpm_sampler_create(sampler, chain, &o, D, images, NULL, err);
    if (!code)
        code = ddpm_sampler_start(*sampler, index, NULL, images, NULL, 0, err);
    while (!code && ddpm_sampler_left(*sampler) > 0)
        code = ddpm_sampler_step(*sampler, err);

    ddpm_chain_free(chain);
    free(index);
    *x = code ? NULL : ddpm_sampler_state(*sampler, NULL);
    return code;
}

int main(int argc, char **argv)
{
    static struct gauss g = { .mean = 0.3, .deviation = 0.2 };
    int images = argc > 2 ? atoi(argv[2]) : 100;
    const double *x = NULL;
    double sum = 0, square = 0;
    ddpm_sampler *sampler = NULL;
    ddpm_error err;

    if (ddpm_betas(g.beta, g.alpha_bar, T, "linear", &err) ||
        sample(&x, &sampler, &g, argc > 1 ? argv[1] : "100", images, &err)) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }

    for (int k = 0; k < images * D; k++) {
        sum += x[k];
        square += x[k] * x[k];
    }
    double mean = sum / (images * D);
    printf("mean %.4f of %.4f, deviation %.4f of %.4f\n", mean, g.mean,
           sqrt(square / (images * D) - mean * mean), g.deviation);
    ddpm_sampler_free(sampler);
    return 0;
}
