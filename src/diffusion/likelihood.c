/* likelihood.c: the density of an image under the probability-flow ODE (Song et al. 2021, "Score-based
   generative modeling through stochastic differential equations", section 4.3 and appendix D.2).

   The clock is tau = ln(s / a), with a = sqrt(alpha_bar), s = sqrt(1 - alpha_bar); it is -1/2 of the log of
   the signal-to-noise ratio.  The ODE of the variance-preserving equation (their equation 13; ode.c) is then

     dx/dtau = s (eps(x, t) - s x)                                           all [d]

   and the log-density of the state changes by the divergence (their equation 39; Chen et al. 2018):

     ln p(x at t = 0) = ln N(x_T; 0, I) + integral of s (tr J - s d) over tau,   J = d eps / dx

   Hutchinson's estimate of the trace is w^T J w (their equation 40), whose mean is tr J for elements of w
   that are independent, with mean 0 and variance 1.  w is one and the same along the whole way, so that the
   estimate is the solution of an ODE too.  w^T J is one backward pass of the network.  Where the network
   predicts x0 or v,

     eps = (x - a x0) / s,   J = (1 - a J_x0) / s          eps = s x + a v,   J = s + a J_v

   x0 is not clipped.

   Both integrals are one state [d + 1], x and then the change of ln p.  It moves by dormand_prince.c: with
   steps of equal length, or with steps whose error is within the tolerance.  Each image has its own clock and
   its own length of steps, so it does not depend on the others of its batch.

   A picture of `levels` grey levels from -1 to 1 is made real by uniform noise of the width of a level,
   2 / (levels - 1).  The mean log-density is a lower bound of the log-probability of the level (Theis et al.
   2016), and so

     bits = -log2 p / d + log2((levels - 1) / 2)

   is an upper bound of what the picture costs.  The picture with its noise is the state at t = 0, as for Song
   et al.: the model is what the ODE makes at that step. */
#include "diffusion/likelihood.h"
#include "base/memory.h"
#include "base/rng.h"
#include "diffusion/dormand_prince.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    STAGES = DD_DORMAND_PRINCE_STAGES,
    LEVELS_MOST = 65536,
    STEPS_MOST = 65536,
    FIRST = 64,  /* the first step of a tolerance is this part of the way */
    LEAST = 4096 /* the shortest step, which is taken whatever its error */
};

static const double ln2 = 0.69314718055994530942, ln_2pi = 1.83787706640934548356;

/* An image on its way. */
struct way {
    double tau, h; /* its clock, and the length of its next step */
    int steps;     /* how many steps it has taken */
    bool begun;    /* the slope at its state is known */
    bool done;
    uint32_t index;
    int32_t class;
};

struct ddpm_likelihood {
    ddpm_likelihood_options options;
    ddpm_chain *chain;
    double from, to; /* tau of the first and of the last step */
    size_t d;
    int batch, n;
    bool classes; /* the images have classes */

    struct way *way;              /* [batch] */
    ddpm_likelihood_image *image; /* [batch] */
    double *state;                /* [batch, d + 1] x, and the change of ln p so far */
    double *slope;                /* [batch, STAGES, d + 1] */
    double *probe;                /* [batch, d] */
    double *next;                 /* [batch, d + 1] the state at a stage */

    /* The arguments of a call for the images that still go. */
    double *x, *w, *p, *product; /* [batch, d] */
    double *t;                   /* [batch] */
    int32_t *class;              /* [batch] */
    int *row;                    /* [batch] */
};

/* ---- create ---- */

void dd_likelihood_defaults(ddpm_likelihood_options *o, const ddpm_about *a)
{
    *o = (ddpm_likelihood_options){ .prediction = a->prediction, .levels = 256, .tolerance = 1e-4 };
}

static int check(const ddpm_tables *t, const ddpm_likelihood_options *o, size_t d, int batch, ddpm_error *err)
{
    if (!o->vjp)
        return dd_error(err, DDPM_EUSAGE, "likelihood: there is no network; set vjp");
    if (!d || batch < 1)
        return dd_error(err, DDPM_EUSAGE, "likelihood: %d images of %zu elements, expected 1 or more", batch,
                        d);
    if (o->prediction < DDPM_EPS || o->prediction > DDPM_V)
        return dd_error(err, DDPM_EUSAGE,
                        "likelihood: prediction is %d, expected DDPM_EPS, DDPM_X0 or DDPM_V", o->prediction);
    if (o->levels == 1 || o->levels < 0 || o->levels > LEVELS_MOST)
        return dd_error(err, DDPM_EUSAGE, "likelihood: %d levels, expected 2 to %d, or 0 for real numbers",
                        o->levels, LEVELS_MOST);
    if (o->steps < 0 || o->steps > STEPS_MOST)
        return dd_error(err, DDPM_EUSAGE, "likelihood: %d steps, expected 1 to %d, or 0 for a tolerance",
                        o->steps, STEPS_MOST);
    if (!o->steps && !(o->tolerance >= 1e-7 && o->tolerance <= 0.1))
        return dd_error(err, DDPM_EUSAGE, "likelihood: the tolerance is %g, expected 1e-7 to 0.1",
                        o->tolerance);
    if (o->probe != DDPM_RADEMACHER && o->probe != DDPM_GAUSSIAN)
        return dd_error(err, DDPM_EUSAGE,
                        "likelihood: probe is %d, expected DDPM_RADEMACHER or DDPM_GAUSSIAN", o->probe);
    if (t->K < 2)
        return dd_error(err, DDPM_EDATA,
                        "likelihood: the ODE goes from one step to another, and the chain "
                        "has one step alone");
    if (!(t->alpha_bar[t->K - 1] > 0))
        return dd_error(err, DDPM_EDATA,
                        "likelihood: alpha_bar of the last step is 0, where the ODE has no end; measure the "
                        "bound of this model");
    return DDPM_OK;
}

static int allocate(ddpm_likelihood *l, ddpm_error *err)
{
    size_t batch = (size_t)l->batch, d = l->d;
    l->way = dd_memory(batch, sizeof *l->way);
    l->image = dd_memory(batch, sizeof *l->image);
    l->state = dd_memory(batch * (d + 1), sizeof(double));
    l->slope = dd_memory(batch * STAGES, (d + 1) * sizeof(double));
    l->probe = dd_memory(batch * d, sizeof(double));
    l->next = dd_memory(batch * (d + 1), sizeof(double));
    l->x = dd_memory(batch * d, sizeof(double));
    l->w = dd_memory(batch * d, sizeof(double));
    l->p = dd_memory(batch * d, sizeof(double));
    l->product = dd_memory(batch * d, sizeof(double));
    l->t = dd_memory(batch, sizeof(double));
    l->class = dd_memory(batch, sizeof *l->class);
    l->row = dd_memory(batch, sizeof *l->row);
    if (l->way && l->image && l->state && l->slope && l->probe && l->next && l->x && l->w && l->p &&
        l->product && l->t && l->class && l->row)
        return DDPM_OK;
    return dd_error(err, DDPM_ENOMEM,
                    "out of memory for the likelihood of %zu images; a smaller batch needs less", batch);
}

int dd_likelihood_create(ddpm_likelihood **l, const ddpm_chain *c, const ddpm_likelihood_options *o, size_t d,
                         int batch, ddpm_error *err)
{
    const ddpm_tables *t = &c->tables;
    *l = NULL;
    int code = check(t, o, d, batch, err);
    if (code)
        return code;

    ddpm_likelihood *made = dd_memory(1, sizeof *made);
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a likelihood");
    made->options = *o;
    made->d = d;
    made->batch = batch;
    made->from = -t->log_snr[0] / 2;
    made->to = -t->log_snr[t->K - 1] / 2;

    code = dd_chain_copy(&made->chain, c, err);
    if (!code)
        code = allocate(made, err);
    if (code)
        dd_likelihood_free(made);
    else
        *l = made;
    return code;
}

void dd_likelihood_free(ddpm_likelihood *l)
{
    if (!l)
        return;
    dd_memory_free(l->chain);
    dd_memory_free(l->way);
    dd_memory_free(l->image);
    dd_memory_free(l->state);
    dd_memory_free(l->slope);
    dd_memory_free(l->probe);
    dd_memory_free(l->next);
    dd_memory_free(l->x);
    dd_memory_free(l->w);
    dd_memory_free(l->p);
    dd_memory_free(l->product);
    dd_memory_free(l->t);
    dd_memory_free(l->class);
    dd_memory_free(l->row);
    dd_memory_free(l);
}

/* ---- start ---- */

/* Fills z [d] with x0 and the uniform noise of its levels. */
static void dequantise(const ddpm_likelihood *l, double *z, const double *x0, uint32_t index)
{
    const struct dd_rng r = { l->options.seed, index, dd_rng_t(INFINITY), (uint32_t)DD_RNG_LIKELIHOOD << 24 };
    double width = 2. / (l->options.levels - 1);

    dd_rng_uniform(&r, z, l->d);
    for (size_t e = 0; e < l->d; e++)
        z[e] = x0[e] + width * (z[e] - 0.5);
}

/* Fills w [d] with the probe of an image. */
static void draw_probe(const ddpm_likelihood *l, double *w, uint32_t index)
{
    const struct dd_rng r = { l->options.seed, index, 0, (uint32_t)DD_RNG_LIKELIHOOD << 24 };
    if (l->options.probe == DDPM_GAUSSIAN) {
        dd_rng_normal(&r, w, l->d);
        return;
    }

    dd_rng_uniform(&r, w, l->d);
    for (size_t e = 0; e < l->d; e++)
        w[e] = w[e] < 0.5 ? -1 : 1;
}

int dd_likelihood_start(ddpm_likelihood *l, const double *x0, const uint32_t *index, const int32_t *classes,
                        int n, ddpm_error *err)
{
    size_t d = l->d;
    double parts = l->options.steps ? l->options.steps : FIRST;
    if (n < 1 || n > l->batch)
        return dd_error(err, DDPM_EUSAGE, "likelihood: %d images, expected 1 to %d", n, l->batch);
    for (size_t e = 0; e < (size_t)n * d; e++)
        if (!isfinite(x0[e]))
            return dd_error(err, DDPM_EUSAGE, "likelihood: image %zu holds a number that is not finite",
                            e / d);

    l->n = n;
    l->classes = classes != NULL;
    for (int i = 0; i < n; i++) {
        size_t row = (size_t)i;
        double *state = l->state + row * (d + 1);

        if (l->options.levels)
            dequantise(l, state, x0 + row * d, index[i]);
        else
            memcpy(state, x0 + row * d, d * sizeof *state);
        state[d] = 0;
        draw_probe(l, l->probe + row * d, index[i]);
        l->way[i] = (struct way){ .tau = l->from,
                                  .h = (l->to - l->from) / parts,
                                  .index = index[i],
                                  .class = classes ? classes[i] : 0 };
        l->image[i] =
            (ddpm_likelihood_image){ .dequantisation =
                                         l->options.levels ? log2((l->options.levels - 1) / 2.) : 0 };
    }
    return DDPM_OK;
}

/* ---- the slope ---- */

/* Returns the clock of an image at a stage of its step. */
static double clock_of(const struct way *way, int stage)
{
    return way->tau + dd_dormand_prince_place(stage) * way->h;
}

/* Returns the step t of a clock. */
static double step_of(const ddpm_likelihood *l, double tau)
{
    const ddpm_tables *t = &l->chain->tables;
    double log_snr = -2 * tau;
    int low = 0, high = t->K - 1;

    /* log_snr falls with t. */
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (t->log_snr[middle] >= log_snr)
            low = middle;
        else
            high = middle;
    }
    double part = (log_snr - t->log_snr[low]) / (t->log_snr[high] - t->log_snr[low]);
    return t->t[low] + fmin(1, fmax(0, part)) * (t->t[high] - t->t[low]);
}

/* Fills slope [d + 1] of the k-th image of a call at the clock tau.  Returns whether all of it is finite. */
static bool slope_of(const ddpm_likelihood *l, double *slope, double tau, size_t k)
{
    size_t d = l->d;
    const double *x = l->x + k * d, *p = l->p + k * d, *w = l->w + k * d, *product = l->product + k * d;
    double a = 1 / sqrt(1 + exp(2 * tau)), s = 1 / sqrt(1 + exp(-2 * tau)), trace = 0, sum = 0;

    /* eps = of_x x + of_p p, and J likewise. */
    double of_x = 0, of_p = 1;
    if (l->options.prediction == DDPM_X0) {
        of_x = 1 / s;
        of_p = -a / s;
    } else if (l->options.prediction == DDPM_V) {
        of_x = s;
        of_p = a;
    }

    for (size_t e = 0; e < d; e++) {
        slope[e] = s * (of_x * x[e] + of_p * p[e] - s * x[e]);
        trace += w[e] * (of_x * w[e] + of_p * product[e]);
        sum += slope[e];
    }
    slope[d] = s * (trace - s * (double)d);
    return isfinite(sum) && isfinite(slope[d]);
}

/* Gathers the arguments of a call at `next`: the images that still go, or at the first stage only those
   whose first slope is not known.  Returns how many they are. */
static int gather(ddpm_likelihood *l, int stage)
{
    size_t d = l->d;
    int n = 0;
    for (int i = 0; i < l->n; i++) {
        const struct way *way = &l->way[i];
        if (way->done || (stage == 0 && way->begun))
            continue;
        memcpy(l->x + (size_t)n * d, l->next + (size_t)i * (d + 1), d * sizeof *l->x);
        memcpy(l->w + (size_t)n * d, l->probe + (size_t)i * d, d * sizeof *l->w);
        l->t[n] = step_of(l, clock_of(way, stage));
        l->class[n] = way->class;
        l->row[n++] = i;
    }
    return n;
}

/* Says what became of a call of the network.  given: the sentence of the callback; lost: how many of its
   images are lost; k: the first of these. */
static int report(const ddpm_likelihood *l, int code, const ddpm_error *given, int lost, int k,
                  ddpm_error *err)
{
    if (lost)
        return dd_error(err, DDPM_ENAN, "image %u %s lost at step t = %g: %s", l->way[l->row[k]].index,
                        lost > 1 ? "and others are" : "is", l->t[k],
                        given->text[0] ? given->text : "the network's output is not finite");
    if (!code || code == DDPM_ENAN)
        return DDPM_OK;
    if (given->text[0])
        dd_error(err, given->code ? given->code : DDPM_ECALLBACK, "%s", given->text);
    else
        dd_error(err, DDPM_ECALLBACK, "the network's function returned %d", code);
    return DDPM_ECALLBACK;
}

/* Fills the slopes of this stage.  An image whose slope is not finite is lost. */
static int evaluate(ddpm_likelihood *l, int stage, ddpm_error *err)
{
    ddpm_error given = { 0 };
    int n = gather(l, stage), lost = 0, first = 0, code = DDPM_OK;
    if (n)
        code = l->options.vjp(l->options.vjp_user, l->p, l->product, l->x, l->t, l->w,
                              l->classes ? l->class : NULL, n, &given);

    /* The caller's function may have filled the text without a terminating 0. */
    given.text[sizeof given.text - 1] = 0;
    for (int k = 0; k < n && (!code || code == DDPM_ENAN); k++) {
        int i = l->row[k];
        double *slope = l->slope + ((size_t)i * STAGES + (size_t)stage) * (l->d + 1);
        l->image[i].calls++;
        if (slope_of(l, slope, clock_of(&l->way[i], stage), (size_t)k))
            continue;
        first = lost++ ? first : k;
        l->way[i].done = true;
        l->image[i].lost = 1;
    }
    return report(l, code, &given, lost, first, err);
}

/* ---- one step ---- */

/* Returns the error of the step of image i, as a multiple of the tolerance. */
static double error_of(const ddpm_likelihood *l, int i)
{
    size_t d = l->d, at = (size_t)i * (d + 1);
    const double *k = l->slope + at * STAGES, *before = l->state + at, *after = l->next + at;
    double h = l->way[i].h, sum = 0, change = dd_dormand_prince_error(k, h, d, d + 1) / (double)d;

    for (size_t e = 0; e < d; e++) {
        double scale = 1 + fmax(fabs(before[e]), fabs(after[e]));
        double error = dd_dormand_prince_error(k, h, e, d + 1) / scale;
        sum += error * error;
    }
    return fmax(sqrt(sum / (double)d), fabs(change)) / l->options.tolerance;
}

/* Adds up the result of an image that has come to its end. */
static void finish(ddpm_likelihood *l, int i)
{
    size_t d = l->d;
    const double *x = l->state + (size_t)i * (d + 1);
    ddpm_likelihood_image *image = &l->image[i];
    double sum = 0;

    for (size_t e = 0; e < d; e++)
        sum += x[e] * x[e];
    image->prior = 0.5 * (sum / (double)d + ln_2pi) / ln2;
    image->change = -x[d] / (double)d / ln2;
    image->total = image->prior + image->change + image->dequantisation;
    l->way[i].done = true;
}

/* Moves an image to the end of its step; the last slope is the first one of the next step. */
static void accept(ddpm_likelihood *l, int i, bool last)
{
    size_t d = l->d, at = (size_t)i * (d + 1);
    struct way *way = &l->way[i];
    double *k = l->slope + at * STAGES;

    memcpy(l->state + at, l->next + at, (d + 1) * sizeof *l->state);
    memcpy(k, k + (STAGES - 1) * (d + 1), (d + 1) * sizeof *k);
    way->steps++;
    way->tau = last ? l->to : way->tau + way->h;
    if (last)
        finish(l, i);
}

/* Accepts the step of image i or makes it shorter, and chooses the length of the next one. */
static void end_step(ddpm_likelihood *l, int i)
{
    struct way *way = &l->way[i];
    double whole = l->to - l->from, rest = l->to - way->tau, least = whole / LEAST;

    if (l->options.steps) {
        accept(l, i, way->steps + 1 == l->options.steps);
        way->tau = way->done ? l->to : l->from + whole * way->steps / l->options.steps;
        return;
    }

    double error = error_of(l, i), factor = dd_dormand_prince_factor(error);
    bool last = way->h >= rest;
    if (error <= 1 || way->h <= least)
        accept(l, i, last);
    way->h = fmin(fmax(way->h * factor, least), l->to - way->tau);
}

int dd_likelihood_step(ddpm_likelihood *l, ddpm_error *err)
{
    size_t width = l->d + 1;
    bool lost = false;
    if (dd_likelihood_left(l) == 0)
        return dd_error(err, DDPM_EUSAGE, "likelihood: no step is left to take");

    for (int stage = 0; stage < STAGES; stage++) {
        for (int i = 0; i < l->n; i++) {
            size_t at = (size_t)i * width;
            if (!l->way[i].done)
                dd_dormand_prince_state(l->next + at, l->state + at, l->slope + at * STAGES, l->way[i].h,
                                        stage, width);
        }

        int code = evaluate(l, stage, err);
        if (code && code != DDPM_ENAN)
            return code;
        lost = lost || code == DDPM_ENAN;
    }

    for (int i = 0; i < l->n; i++) {
        l->way[i].begun = true;
        if (!l->way[i].done)
            end_step(l, i);
    }
    return lost ? DDPM_ENAN : DDPM_OK;
}

double dd_likelihood_left(const ddpm_likelihood *l)
{
    double sum = 0;
    for (int i = 0; i < l->n; i++)
        sum += l->way[i].done ? 0 : (l->to - l->way[i].tau) / (l->to - l->from);
    return l->n ? sum / l->n : 0;
}

const ddpm_likelihood_image *dd_likelihood_read(const ddpm_likelihood *l, int row)
{
    return &l->image[row];
}
