/* Computes the loss of training and its gradient by the network's output, for a batch.  Each image has a step
   t and a noise eps of its own; objective.h says what its loss is.

   The step is t = floor(w T / 2^32).  In training w is a word of Philox from the stream (sample,
   0xFFFFFFFF, purpose train), whose next word says whether the sample loses its class.  The noise is the
   stream (sample, t, purpose train).  A sample has 56 bits: the low 32 are the index, the others the draw.
   For images held out, w is a word of the seed plus the index times 2^32 / golden ratio, so that even few
   images have steps from the whole chain; their noise has the purpose eval. */
#include "train/loss.h"
#include "base/memory.h"
#include "base/rng.h"
#include "diffusion/marginal.h"
#include "layer/parallel.h"
#include "train/objective.h"
#include <math.h>
#include <stdlib.h>

/* How many rows of d numbers an image has in `work`: p, v, x0, dp, dv. */
enum { WORK = 5 };

/* Makes the chain of all steps. */
static int make_chain(struct dd_loss *l, const ddpm_about *a, ddpm_error *err)
{
    double *t = dd_memory((size_t)a->steps, sizeof *t);
    if (!t)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a chain of %d steps", a->steps);
    for (int i = 0; i < a->steps; i++)
        t[i] = i;
    int code = dd_chain_create(&l->chain, a->steps, t, a->alpha_bar, a->beta, err);
    dd_memory_free(t);
    return code;
}

static int allocate(struct dd_loss *l, size_t batch, ddpm_error *err)
{
    l->t = dd_memory(batch, sizeof *l->t);
    l->each = dd_memory(batch, sizeof *l->each);
    l->eps = dd_memory(batch * l->d, sizeof *l->eps);
    l->work = dd_memory(batch * l->d, WORK * sizeof *l->work);
    if (!l->t || !l->each || !l->eps || !l->work)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for the loss of %zu images; a smaller batch needs less", batch);
    return DDPM_OK;
}

/* Makes the variance of the model's own steps. */
static int make_posterior(struct dd_loss *l, const ddpm_about *a, ddpm_error *err)
{
    const struct dd_variance own = { .name = "auto", .own = a->variance, .T = a->steps };
    return dd_posterior_create(&l->posterior, &l->chain->tables, &own, NULL, err);
}

int dd_loss_create(struct dd_loss *l, const ddpm_about *a, int kind, double min_snr, int batch,
                   ddpm_error *err)
{
    size_t pixels = (size_t)a->height * (size_t)a->width, channels = (size_t)a->channels;
    *l = (struct dd_loss){
        .objective = dd_objective_of(kind),
        .prediction = a->prediction,
        .T = a->steps,
        .min_snr = min_snr,
        .t_scale = a->t_scale,
        .pixels = pixels,
        .channels = channels,
        .outputs = (size_t)a->outputs,
        .d = pixels * channels,
    };

    int code = dd_objective_check(a, kind, min_snr, err);
    if (!code)
        code = make_chain(l, a, err);
    if (!code && l->objective->needs_variance)
        code = make_posterior(l, a, err);
    if (!code)
        code = allocate(l, (size_t)batch, err);
    if (code)
        dd_loss_free(l);
    return code;
}

void dd_loss_free(struct dd_loss *l)
{
    dd_posterior_free(&l->posterior);
    dd_memory_free(l->chain);
    dd_memory_free(l->t);
    dd_memory_free(l->eps);
    dd_memory_free(l->work);
    dd_memory_free(l->each);
    *l = (struct dd_loss){ 0 };
}

/* ---- one image ---- */

static double target_of(const struct dd_loss *l, double x0, double eps, double a, double s)
{
    switch (l->prediction) {
    case DDPM_EPS: return eps;
    case DDPM_X0: return x0;
    default: return a * eps - s * x0;
    }
}

/* Fills de [d] with the errors p - target. */
static void errors(const struct dd_loss *l, double *de, const struct dd_loss_image *image, double a, double s)
{
    for (size_t e = 0; e < l->d; e++)
        de[e] = image->p[e] - target_of(l, image->x0[e], image->eps[e], a, s);
}

/* Returns what the objectives need to know about step t. */
static struct dd_objective_step step_of(const struct dd_loss *l, int t)
{
    double alpha_bar = l->chain->tables.alpha_bar[t], a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar), c = s;
    if (l->prediction == DDPM_EPS)
        c = s / a;
    else if (l->prediction == DDPM_X0)
        c = -1;
    return (struct dd_objective_step){ alpha_bar, a, s, c };
}

double dd_loss_image(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image)
{
    struct dd_objective_step step = step_of(l, image->t);

    errors(l, dp, image, step.a, step.s);
    return l->objective->image(l, dp, dv, image, &step);
}

/* ---- a batch ---- */

/* Returns the stream of a sample of training whose first words are its step and its class dropout. */
static struct dd_rng stream_of(uint64_t seed, uint64_t sample)
{
    return (struct dd_rng){
        .seed = seed,
        .index = (uint32_t)sample,
        .t = UINT32_MAX,
        .purpose_draw = (uint32_t)DD_RNG_TRAIN << 24 | (uint32_t)(sample >> 32 & 0xffffff),
    };
}

bool dd_loss_drops_class(uint64_t seed, uint64_t sample, double probability)
{
    const struct dd_rng r = stream_of(seed, sample);
    uint32_t word;
    dd_rng_words(&r, &word, 1, 1);
    return (word + 0.5) * 0x1p-32 < probability;
}

/* Draws the step of a sample. */
static int draw_step(const struct dd_loss_draw *draw, uint64_t sample, int T)
{
    struct dd_rng r = { .seed = draw->seed, .t = UINT32_MAX, .purpose_draw = (uint32_t)DD_RNG_EVAL << 24 };
    uint32_t word;

    if (!draw->held_out)
        r = stream_of(draw->seed, sample);
    dd_rng_words(&r, &word, 0, 1);
    /* In a golden-ratio sequence every few points in a row are spread evenly. */
    if (draw->held_out)
        word += (uint32_t)sample * 0x9E3779B9u;
    return (int)((uint64_t)word * (uint64_t)T >> 32);
}

/* Draws the noise of a sample at step t. */
static void draw_noise(const struct dd_loss_draw *draw, double *eps, uint64_t sample, int t, size_t d)
{
    uint32_t high = draw->held_out ? 0 : (uint32_t)(sample >> 32 & 0xffffff);
    struct dd_rng r = { draw->seed, (uint32_t)sample, dd_rng_t(t),
                        (uint32_t)(draw->held_out ? DD_RNG_EVAL : DD_RNG_TRAIN) << 24 | high };
    dd_rng_normal(&r, eps, d);
}

/* The arguments of dd_loss_begin. */
struct beginning {
    struct dd_loss *l;
    const struct dd_loss_draw *draw;
    float *x, *t;
    const float *x0;
    int n;
};

static void begin(struct dd_worker *worker, void *user)
{
    const struct beginning *b = user;
    const struct dd_loss_draw *draw = b->draw;
    struct dd_loss *l = b->l;

    DD_TASKS(worker, i, (size_t)b->n) {
        size_t at = i * l->d;
        double *eps = l->eps + at, *image = l->work + WORK * at, *xt = image + l->d;

        l->t[i] = draw_step(draw, draw->first + i, l->T);
        draw_noise(draw, eps, draw->first + i, l->t[i], l->d);
        for (size_t e = 0; e < l->d; e++)
            image[e] = b->x0[at + e];
        dd_marginal_xt(xt, image, eps, l->chain->tables.alpha_bar[l->t[i]], l->d);
        for (size_t e = 0; e < l->d; e++)
            b->x[at + e] = (float)xt[e];
        b->t[i] = (float)l->t[i] * (float)l->t_scale;
    }
}

void dd_loss_begin(struct dd_loss *l, const struct dd_loss_draw *draw, float *x, float *t, const float *x0,
                   int n, struct dd_team *team)
{
    dd_parallel_run(team, begin, &(struct beginning){ l, draw, x, t, x0, n });
}

/* Returns the loss of image i and fills its part of dout.  The outputs of a pixel are its prediction, then
   its v. */
static double one(const struct dd_loss *l, float *dout, const float *out, const float *x0, double scale,
                  size_t i)
{
    size_t at = i * l->d, from = i * l->pixels * l->outputs, c = l->channels;
    bool varies = l->outputs > c;
    double *p = l->work + WORK * at, *v = p + l->d, *image = v + l->d, *dp = image + l->d, *dv = dp + l->d;
    for (size_t e = 0; e < l->d; e++) {
        size_t o = from + e / c * l->outputs + e % c;
        p[e] = out[o];
        v[e] = varies ? out[o + c] : 0;
        dv[e] = 0;
        image[e] = x0[at + e];
    }

    double loss = dd_loss_image(l, dp, dv, &(struct dd_loss_image){ image, l->eps + at, l->t[i], p, v });
    for (size_t e = 0; e < l->d; e++) {
        size_t o = from + e / c * l->outputs + e % c;
        dout[o] = (float)(dp[e] * scale);
        if (varies)
            dout[o + c] = (float)(dv[e] * scale);
    }
    return loss;
}

/* The arguments of dd_loss_end. */
struct ending {
    struct dd_loss *l;
    float *dout;
    const float *out, *x0;
    double scale;
    int n;
};

static void end(struct dd_worker *worker, void *user)
{
    const struct ending *e = user;
    DD_TASKS(worker, i, (size_t)e->n)
        e->l->each[i] = one(e->l, e->dout, e->out, e->x0, e->scale, i);
}

double dd_loss_end(struct dd_loss *l, float *dout, const float *out, const float *x0, double scale, int n,
                   struct dd_team *team)
{
    double sum = 0;
    dd_parallel_run(team, end, &(struct ending){ l, dout, out, x0, scale, n });
    for (int i = 0; i < n; i++)
        sum += l->each[i];
    return sum;
}
