/* latent MODEL [STEPS]: an image becomes noise by the probability-flow ODE (Song et al. 2021, eq. 13)
   and an image again.

   The image is a sampled one.  Its latent is the x_T that the deterministic sampler turns into it.
   The program prints the latent's mean and deviation, which are 0 and 1 for N(0, 1), and how far the
   way there and back leads from the image: the root mean square of values within [-1, 1]. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ddpm.h>

struct work {
    ddpm_model *model;
    ddpm_net *net;
    ddpm_chain *chain;
    ddpm_sampler *sampler;
    size_t d;
    int K;
};

static int work_open(struct work *w, const char *path, const char *steps, ddpm_error *err)
{
    ddpm_sampler_options o;
    if (ddpm_model_open(&w->model, path, err) || ddpm_net_create(&w->net, w->model, NULL, err))
        return 1;

    const ddpm_about *a = ddpm_model_about(w->model);
    w->d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;

    /* Clipping x0 would change what the way there and back leads to. */
    ddpm_sampler_defaults(&o, a);
    o.sampler = "ode";
    o.clip = 0;
    o.eps = ddpm_net_eps;
    o.eps_user = w->net;
    if (ddpm_chain_respace(&w->chain, a, steps, NULL, err) ||
        ddpm_sampler_create(&w->sampler, w->chain, &o, w->d, 1, NULL, err))
        return 1;
    w->K = ddpm_chain_tables(w->chain)->K;
    return 0;
}

/* Carries x [d] from chain position i so many steps down, to less noise, or up. */
static int travel(struct work *w, double *x, int i, int down, int up, ddpm_error *err)
{
    const uint32_t index = 0;
    if (ddpm_sampler_start(w->sampler, &index, NULL, 1, x, i, err))
        return 1;

    for (; down > 0; down--)
        if (ddpm_sampler_step(w->sampler, err))
            return 1;
    for (; up > 0; up--)
        if (ddpm_sampler_encode(w->sampler, err))
            return 1;

    memcpy(x, ddpm_sampler_state(w->sampler, NULL), w->d * sizeof *x);
    return 0;
}

static double root_mean_square(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t k = 0; k < d; k++)
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    return sqrt(sum / (double)d);
}

static void report(const struct work *w, const double *image, const double *latent, const double *back)
{
    double sum = 0, square = 0, d = (double)w->d;
    for (size_t k = 0; k < w->d; k++) {
        sum += latent[k];
        square += latent[k] * latent[k];
    }
    printf("latent: mean %.3f, deviation %.3f; there and back: %.4f\n", sum / d,
           sqrt(square / d - sum / d * (sum / d)), root_mean_square(image, back, w->d));
}

int main(int argc, char **argv)
{
    struct work w = { .d = 0 };
    ddpm_error err;
    uint64_t seed = 1;

    if (argc < 2) {
        fprintf(stderr, "usage: latent MODEL [STEPS]\n");
        return 64;
    }
    if (work_open(&w, argv[1], argc > 2 ? argv[2] : "100", &err)) {
        fprintf(stderr, "latent: %s\n", err.text);
        return 1;
    }
    double *image = malloc(3 * w.d * sizeof *image);
    if (!image) {
        fprintf(stderr, "latent: out of memory\n");
        return 1;
    }
    double *latent = image + w.d, *back = latent + w.d;

    /* From noise to an image, and from the image to its latent. */
    ddpm_noise(&seed, image, w.d, 0, INFINITY, 0);
    int code = travel(&w, image, w.K - 1, w.K, 0, &err);
    memcpy(latent, image, w.d * sizeof *latent);
    code = code ? code : travel(&w, latent, 0, 0, w.K - 1, &err);

    /* Down to position 0, where encoding began: the last step would denoise once more. */
    memcpy(back, latent, w.d * sizeof *back);
    code = code ? code : travel(&w, back, w.K - 1, w.K - 1, 0, &err);

    if (code)
        fprintf(stderr, "latent: %s\n", err.text);
    else
        report(&w, image, latent, back);

    free(image);
    ddpm_sampler_free(w.sampler);
    ddpm_chain_free(w.chain);
    ddpm_net_free(w.net);
    ddpm_model_close(w.model);
    return code;
}
