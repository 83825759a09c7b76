/* Guides a network without a classifier (Ho and Salimans 2022, arXiv 2207.12598).  A network that knows a
   class "none" predicts twice, for the class of the image and for no class:

     p = none + w (own - none)

   w is the scale as diffusers (guidance_scale) and lucidrains (cond_scale) count it: 0 ignores the class, 1
   is no guidance, more exaggerates what the class changes.  The paper's own w is this one less 1.

   p may be eps, x0 or v.  At a given x_t each is an affine function of any other, with coefficients that the
   class does not change, and the weights w and 1 - w add up to 1; so all three give the same guided eps.
   Clipping of x0 comes afterwards, in the sampler.  A learned variance stays that of the own class, as in the
   code of GLIDE (Nichol et al. 2021).

   Both predictions go through the network in one batch: first all images with their classes, then all of them
   with none. */
#include "diffusion/guidance.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"

struct ddpm_guidance {
    ddpm_guidance_options options;
    size_t d, outputs; /* values of an image; m of ddpm_eps_fn */
    int32_t none;      /* the class that stands for no class */

    /* [2 batch] images, predictions and classes.  With a scale of 0 or 1 only classes are there. */
    double *x, *out;
    int32_t *classes;
};

/* Says whether both predictions are needed. */
static bool mixes(const ddpm_guidance *g)
{
    return g->options.scale != 0 && g->options.scale != 1;
}

static int check(const ddpm_about *a, const ddpm_guidance_options *o, ddpm_error *err)
{
    if (!a->null_class)
        return dd_error(err, DDPM_EUSAGE,
                        "guidance: the model has no null class, with which it could predict without a class");
    if (!(isfinite(o->scale) && o->scale >= 0))
        return dd_error(err, DDPM_EUSAGE, "guidance: the scale is %g, expected 0 or more, 1 for none",
                        o->scale);
    if (o->batch < 1)
        return dd_error(err, DDPM_EUSAGE, "guidance: batch is %d, expected 1 or more", o->batch);
    return DDPM_OK;
}

static int allocate(ddpm_guidance *g)
{
    size_t batch = (size_t)g->options.batch;

    g->classes = dd_memory(2 * batch, sizeof *g->classes);
    if (mixes(g)) {
        g->x = dd_memory(2 * batch, g->d * sizeof *g->x);
        g->out = dd_memory(2 * batch, g->outputs * g->d * sizeof *g->out);
    }
    return g->classes && (!mixes(g) || (g->x && g->out)) ? DDPM_OK : DDPM_ENOMEM;
}

int dd_guidance_create(ddpm_guidance **g, const ddpm_about *a, const ddpm_guidance_options *o,
                       ddpm_error *err)
{
    *g = NULL;
    int code = check(a, o, err);
    if (code)
        return code;

    ddpm_guidance *made = calloc(1, sizeof *made);
    if (made) {
        *made = (ddpm_guidance){
            .options = *o,
            .d = (size_t)a->height * (size_t)a->width * (size_t)a->channels,
            .outputs = (size_t)(a->outputs / a->channels),
            .none = a->classes,
        };
        code = allocate(made);
    }
    if (!made || code) {
        dd_guidance_free(made);
        return dd_error(err, DDPM_ENOMEM, "out of memory for the guidance of %d images", o->batch);
    }
    *g = made;
    return DDPM_OK;
}

void dd_guidance_free(ddpm_guidance *g)
{
    if (!g)
        return;
    dd_memory_free(g->x);
    dd_memory_free(g->out);
    dd_memory_free(g->classes);
    free(g);
}

/* Fills out with both predictions, mixed. */
static void mix(const ddpm_guidance *g, double *out, int n)
{
    size_t size = g->outputs * g->d;
    double w = g->options.scale;

    for (size_t i = 0; i < (size_t)n; i++) {
        const double *own = g->out + i * size, *none = g->out + ((size_t)n + i) * size;
        double *to = out + i * size;
        for (size_t e = 0; e < g->d; e++)
            to[e] = none[e] + w * (own[e] - none[e]);

        /* The learned variance follows the prediction. */
        for (size_t e = g->d; e < size; e++)
            to[e] = isfinite(none[e]) ? own[e] : none[e];
    }
}

int dd_guidance_eps(ddpm_guidance *g, double *out, const double *x, double t, const int32_t *classes, int n,
                    ddpm_error *err)
{
    const ddpm_guidance_options *o = &g->options;
    if (n < 0 || n > o->batch)
        return dd_error(err, DDPM_EUSAGE, "guidance: %d images, expected 0 to %d", n, o->batch);
    if (!classes)
        return dd_error(err, DDPM_EUSAGE, "guidance: a class is needed for every image");
    if (o->scale == 1)
        return o->eps(o->eps_user, out, x, t, classes, n, err);

    /* The second half of the batch are the same images without a class. */
    for (int i = 0; i < n; i++) {
        g->classes[i] = o->scale == 0 ? g->none : classes[i];
        g->classes[n + i] = g->none;
    }
    if (!mixes(g))
        return o->eps(o->eps_user, out, x, t, g->classes, n, err);

    size_t size = (size_t)n * g->d;
    memcpy(g->x, x, size * sizeof *x);
    memcpy(g->x + size, x, size * sizeof *x);
    int code = o->eps(o->eps_user, g->out, g->x, t, g->classes, 2 * n, err);
    if (code == DDPM_ENAN && err)
        dd_error_context(err, "guidance, where the images stand twice in a batch");
    if (!code || code == DDPM_ENAN)
        mix(g, out, n);
    return code;
}
