/* Computes the losses of training (Ho et al. 2020, sections 3.2 and 3.4; Nichol and Dhariwal 2021, section
   3).

   For one image x0 [d] at a step t, with eps ~ N(0, I), a = sqrt(alpha_bar_t), s = sqrt(1 - alpha_bar_t) and
   x_t = a x0 + s eps, let p be the network's prediction at (x_t, t):

     e = p - target,   the target being eps, x0 or v = a eps - s x0
     L_simple = w_t mean e^2
     L_vlb    = T L_t in bits per dimension, L_t the term of bound.c (t = 0: of decoder.c), x0 not clipped
     hybrid   = L_simple + L_vlb / 1000, where L_vlb is not differentiated through p

   The weight w_t is 1, or with min_snr it makes the weight of the error of x0 min(SNR_t, gamma), where
   SNR_t = a^2 / s^2 (Hang et al. 2023):

     eps: min(SNR, gamma) / SNR,   x0: min(SNR, gamma),   v: min(SNR, gamma) / (SNR + 1)

   Since x0 - x0_theta = c e with c = s / a, -1 or s, no difference of near numbers is ever taken:

     L_t = mean (u + exp(-u) - 1 + (mean_x0 c e)^2 exp(-lv)) / 2,
           lv = ln sigma^2 as v says,   u = lv - ln beta_tilde
     dL_t/dlv = (1 - exp(-u) - (mean_x0 c e)^2 exp(-lv)) / 2,   dL_t/de = (mean_x0 c)^2 e exp(-lv)   (over d)

   The step is t = floor(w T / 2^32).  In training w is a word of Philox from the stream (sample,
   0xFFFFFFFF, purpose train), whose next word says whether the sample loses its class.  The noise is the
   stream (sample, t, purpose train).  A sample has 56 bits: the low 32 are the index, the others the draw.
   For images held out, w is a word of the seed plus the index times 2^32 / golden ratio, so that even few
   images have steps from the whole chain; their noise has the purpose eval. */
#include "train/loss.h"
#include "base/memory.h"
#include "base/rng.h"
#include "diffusion/decoder.h"
#include "diffusion/marginal.h"
#include "layer/parallel.h"
#include <math.h>
#include <stdlib.h>

/* How many rows of d numbers an image has in `work`: p, v, x0, dp, dv. */
enum { WORK = 5 };

static const double ln2 = 0.69314718055994530942;

/* Makes the chain of all steps. */
static int make_chain(struct dd_loss *l, const ddpm_about *a, ddpm_error *err)
{
    double *t = dd_memory((size_t)a->steps, sizeof *t);
    if (!t)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a chain of %d steps", a->steps);
    for (int i = 0; i < a->steps; i++)
        t[i] = i;
    int code = dd_chain_create(&l->chain, a->steps, t, a->alpha_bar, a->beta, err);
    free(t);
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

/* Checks whether a model can be trained by this loss. */
static int check(const ddpm_about *a, int kind, double min_snr, ddpm_error *err)
{
    bool learned = a->variance == DDPM_LEARNED || a->variance == DDPM_LEARNED_RANGE;

    if (kind < DDPM_SIMPLE || kind > DDPM_HYBRID)
        return dd_error(err, DDPM_EUSAGE, "loss is %d, expected DDPM_SIMPLE, DDPM_VLB or DDPM_HYBRID", kind);
    if (kind != DDPM_SIMPLE && !learned)
        return dd_error(
            err, DDPM_EUSAGE,
            "the loss %s is asked for, but the model learns no variance: choose simple, or a model with "
            "diffusion.variance learned-range",
            kind == DDPM_VLB ? "vlb" : "hybrid");
    if (kind == DDPM_SIMPLE && learned)
        return dd_error(
            err, DDPM_EUSAGE,
            "the loss simple would leave the learned variance of the model untrained: choose hybrid or vlb");
    if (a->prediction == DDPM_EPS && a->alpha_bar[0] > 0 && a->alpha_bar[a->steps - 1] == 0)
        return dd_error(err, DDPM_EDATA,
                        "schedule.alpha_bar[%d] is 0: eps cannot be learned from pure "
                        "noise; take a schedule without zero-snr, or a model that predicts x0 or v",
                        a->steps - 1);
    if (!(min_snr >= 0 && min_snr <= 1e12))
        return dd_error(err, DDPM_EUSAGE, "min_snr is %g, expected above 0 (5 is usual), or 0 for none",
                        min_snr);
    if (kind == DDPM_VLB && min_snr > 0)
        return dd_error(err, DDPM_EUSAGE,
                        "min_snr is %g, but the loss vlb has no L_simple for it to weight: leave it 0",
                        min_snr);
    return DDPM_OK;
}

int dd_loss_create(struct dd_loss *l, const ddpm_about *a, int kind, double min_snr, int batch,
                   ddpm_error *err)
{
    size_t pixels = (size_t)a->height * (size_t)a->width, channels = (size_t)a->channels;
    *l = (struct dd_loss){
        .kind = kind,
        .prediction = a->prediction,
        .T = a->steps,
        .min_snr = min_snr,
        .t_scale = a->t_scale,
        .pixels = pixels,
        .channels = channels,
        .outputs = (size_t)a->outputs,
        .d = pixels * channels,
    };

    int code = check(a, kind, min_snr, err);
    if (!code)
        code = make_chain(l, a, err);
    if (!code && kind != DDPM_SIMPLE)
        code =
            dd_posterior_create(&l->posterior, &l->chain->tables,
                                &(struct dd_variance){ .name = "learned", .own = a->variance, .T = a->steps },
                                NULL, err);
    if (!code)
        code = allocate(l, (size_t)batch, err);
    if (code)
        dd_loss_free(l);
    return code;
}

void dd_loss_free(struct dd_loss *l)
{
    dd_posterior_free(&l->posterior);
    free(l->chain);
    free(l->t);
    free(l->eps);
    free(l->work);
    free(l->each);
    *l = (struct dd_loss){ 0 };
}

/* ---- one image ---- */

/* Returns the weight w_t. */
static double weight_of(const struct dd_loss *l, double alpha_bar)
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

static double target_of(const struct dd_loss *l, double x0, double eps, double a, double s)
{
    switch (l->prediction) {
    case DDPM_EPS: return eps;
    case DDPM_X0: return x0;
    default: return a * eps - s * x0;
    }
}

/* Fills de = p - target; returns the sum of its squares. */
static double errors(const struct dd_loss *l, double *de, const struct dd_loss_image *image, double a,
                     double s)
{
    double sum = 0;
    for (size_t e = 0; e < l->d; e++) {
        de[e] = image->p[e] - target_of(l, image->x0[e], image->eps[e], a, s);
        sum += de[e] * de[e];
    }
    return sum;
}

/* Returns the sum over d of L_t in nats, and fills dv with its derivatives by v.  Unless `keep` is set, its
   derivatives by p replace the errors of p in de. */
static double bound(const struct dd_loss *l, double *de, double *dv, const struct dd_loss_image *image,
                    double c, bool keep)
{
    const struct dd_posterior *p = &l->posterior;
    const double *x0 = image->x0;
    int t = image->t;
    double sum = 0, away = p->tables->mean_x0[t] * c,
           by_v = p->variance == DDPM_LEARNED ? 1 : 0.5 * (p->log_large[t] - p->log_small[t]);

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

double dd_loss_image(const struct dd_loss *l, double *dp, double *dv, const struct dd_loss_image *image)
{
    double alpha_bar = l->chain->tables.alpha_bar[image->t], a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar);
    double d = (double)l->d, weight = weight_of(l, alpha_bar), c = s;
    if (l->prediction == DDPM_EPS)
        c = s / a;
    else if (l->prediction == DDPM_X0)
        c = -1;

    /* dp holds the errors e until it is scaled below.  Only with the loss vlb does bound replace them. */
    double simple = errors(l, dp, image, a, s) * weight / d, bits = l->T / (d * ln2);
    if (l->kind == DDPM_VLB) {
        double vlb = bound(l, dp, dv, image, c, false);
        multiply(dp, bits, l->d);
        multiply(dv, bits, l->d);
        return vlb * bits;
    }

    if (l->kind == DDPM_HYBRID) {
        simple += bound(l, dp, dv, image, c, true) * bits / 1000;
        multiply(dv, bits / 1000, l->d);
    }
    multiply(dp, 2 * weight / d, l->d);
    return simple;
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
