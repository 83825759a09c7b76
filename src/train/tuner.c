/* tuner.c: learns the table of a tuned solver (diffusion/tuned.c) for one model and one number of steps K.

   Teacher and student start from the same noise x_T.  The teacher makes its image x0* in many steps.  The
   student's image x0 is a function of 6 K numbers, which Adam (Kingma and Ba 2015) moves against the
   gradient of

     loss = mean over images and elements of |x0 - x0*|.

   tuner_run.c computes the gradient.  The network does not change. */
#include "train/tuner_run.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "diffusion/tuned.h"

enum { IMAGES_MOST = 1024 };

/* Adam's rate for each kind: times and shifts move in steps of t, the others are coefficients. */
static const double rate[DD_TUNER_KINDS] = {
    [DD_TUNER_LOGIT] = 0.03, [DD_TUNER_SHIFT] = 1,       [DD_TUNER_OF_X] = 0.005,
    [DD_TUNER_OF_M] = 0.005, [DD_TUNER_BEFORE1] = 0.005, [DD_TUNER_BEFORE2] = 0.005
};
static const double beta1 = 0.9, beta2 = 0.99, epsilon = 1e-8;

void dd_tuner_defaults(ddpm_tuner_options *o)
{
    *o = (ddpm_tuner_options){ .batch = 16, .steps = 400 };
}

/* ---- create ---- */

static int check_options(const ddpm_tuner_options *o, int T, ddpm_error *err)
{
    if (o->batch < 1 || o->batch > IMAGES_MOST)
        return dd_error(err, DDPM_EUSAGE, "batch is %d, expected 1 to %d", o->batch, IMAGES_MOST);
    if (o->K < 1 || o->K > DD_TUNER_STEPS_MOST || o->K > T)
        return dd_error(err, DDPM_EUSAGE, "a solver of %d steps is asked for; 1 to %d can be learned", o->K,
                        T < DD_TUNER_STEPS_MOST ? T : DD_TUNER_STEPS_MOST);
    if (o->steps < 1)
        return dd_error(err, DDPM_EUSAGE, "steps is %lld, expected 1 or more", (long long)o->steps);

    for (int i = 0; i < o->K; i++)
        if (!(o->t[i] >= 0 && o->t[i] <= T - 1) || (i && o->t[i] <= o->t[i - 1]))
            return dd_error(err, DDPM_EUSAGE,
                            "step %d to begin with is t = %g; steps rise strictly within 0 to %d", i, o->t[i],
                            T - 1);
    if (o->t[o->K - 1] != T - 1)
        return dd_error(err, DDPM_EUSAGE, "the last step to begin with is t = %g, expected %d",
                        o->t[o->K - 1], T - 1);
    return DDPM_OK;
}

static int allocate(ddpm_tuner *t, ddpm_error *err)
{
    size_t K = (size_t)t->K, learned = DD_TUNER_KINDS * K, batch = (size_t)t->batch,
           outs = batch * t->pixels * t->outputs;
    double *numbers =
        dd_arena(&t->arena, 3 * learned + 1 + learned + DDPM_TUNED_ROWS * K + 4 * K, sizeof *numbers);
    double *images = dd_memory(3 * K * t->size + 3 * t->size, sizeof *images);
    float *io = dd_memory(2 * t->size + 2 * outs + 2 * batch, sizeof *io);
    t->x = images;
    t->in = io;
    if (!numbers || !images || !io)
        return dd_error(err, DDPM_ENOMEM,
                        "out of memory for learning a solver of %d steps from %d images at once", t->K,
                        t->batch);

    t->state = numbers;
    t->slope = t->state + 3 * learned + 1;
    t->table = t->slope + learned;
    t->alpha_bar = t->table + DDPM_TUNED_ROWS * K;
    t->log_snr = t->alpha_bar + K;
    t->log_snr_slope = t->log_snr + K;
    t->by_lambda = t->log_snr_slope + K;

    t->m = t->x + K * t->size;
    t->by_m = t->m + K * t->size;
    t->image = t->by_m + K * t->size;
    t->by_x = t->image + t->size;
    t->p = t->by_x + t->size;

    t->dx = t->in + t->size;
    t->out = t->dx + t->size;
    t->dout = t->out + outs;
    t->t = t->dout + outs;
    t->dt = t->t + batch;
    return DDPM_OK;
}

/* Sets the logits such that the times are `times`.  A part of T - 1 that is 0 has no logit, so it becomes a
   small part of a step. */
static void begin(ddpm_tuner *t, const double *times)
{
    static const double least = 0.01;
    double before = 0;
    for (int i = 0; i < t->K; i++) {
        t->state[DD_TUNER_LOGIT * t->K + i] = log(fmax(times[i] - before, least));
        before = times[i];
    }
}

int dd_tuner_create_for(ddpm_tuner **out, const ddpm_about *a, const struct dd_tuner_network *network,
                        const ddpm_tuner_options *o, ddpm_error *err)
{
    int code = check_options(o, a->steps, err);
    *out = NULL;
    if (code)
        return code;
    ddpm_tuner *t = calloc(1, sizeof *t);
    if (!t)
        return dd_error(err, DDPM_ENOMEM, "out of memory for learning a solver");

    t->network = *network;
    t->prediction = a->prediction;
    t->clip = a->clip;
    t->t_scale = a->t_scale;
    t->pixels = (size_t)a->height * (size_t)a->width;
    t->channels = (size_t)a->channels;
    t->outputs = (size_t)a->outputs;
    t->d = t->pixels * t->channels;
    t->size = t->d * (size_t)o->batch;
    t->K = o->K;
    t->T = a->steps;
    t->batch = o->batch;
    t->steps = o->steps;

    double *schedule = dd_arena(&t->arena, (size_t)t->T, sizeof *schedule);
    code = schedule ? allocate(t, err)
                    : dd_error(err, DDPM_ENOMEM, "out of memory for a table of %d steps", t->T);
    if (code) {
        dd_tuner_free(t);
        return code;
    }
    memcpy(schedule, a->alpha_bar, (size_t)t->T * sizeof *schedule);
    t->schedule = schedule;
    begin(t, o->t);
    *out = t;
    return DDPM_OK;
}

static void forward(void *gradient, const struct dd_slice *s)
{
    dd_gradient_forward(gradient, s);
}

static void backward(void *gradient, const struct dd_slice *s)
{
    dd_gradient_backward(gradient, s);
}

int dd_tuner_create(ddpm_tuner **t, const ddpm_model *m, const ddpm_tuner_options *o, ddpm_error *err)
{
    ddpm_net_options net = { .batch = o->batch, .threads = o->threads, .cpu = o->cpu, .conv = o->conv };
    struct dd_gradient *gradient = NULL;
    *t = NULL;
    int code = dd_model_makes_images(m, err);
    if (!code)
        code = dd_gradient_create_by_inputs(&gradient, m, &net, err);
    struct dd_tuner_network network = { gradient, forward, backward };
    if (!code)
        code = dd_tuner_create_for(t, &m->about, &network, o, err);
    if (code)
        dd_gradient_free(gradient);
    else
        (*t)->gradient = gradient;
    return code;
}

void dd_tuner_free(ddpm_tuner *t)
{
    if (!t)
        return;
    dd_gradient_free(t->gradient);
    dd_memory_free(t->x);
    dd_memory_free(t->in);
    dd_arena_free(&t->arena);
    free(t);
}

double *dd_tuner_state(ddpm_tuner *t, size_t *count)
{
    *count = 3 * DD_TUNER_KINDS * (size_t)t->K + 1;
    return t->state;
}

const double *dd_tuner_slope(const ddpm_tuner *t)
{
    return t->slope;
}

const double *dd_tuner_table(ddpm_tuner *t)
{
    dd_tuner_run_table(t);
    return t->table;
}

/* ---- a step ---- */

/* Returns the loss against x0.  Fills by_x with its gradient by the image before that was clipped. */
static double compare(ddpm_tuner *t, const double *x0)
{
    double sum = 0, one = 1 / (double)t->size, clip = t->clip;
    for (size_t e = 0; e < t->size; e++) {
        double off = t->image[e] - x0[e], sign = off > 0 ? 1 : -1;
        sum += fabs(off);
        t->by_x[e] = off != 0 && !(clip > 0 && fabs(t->image[e]) >= clip) ? sign * one : 0;
    }
    return sum * one;
}

/* Moves the learned numbers against the slopes.  The rates fall by half a cosine, to 2 % at the end. */
static void move(ddpm_tuner *t)
{
    static const double pi = 3.14159265358979323846, least = 0.02;
    size_t n = DD_TUNER_KINDS * (size_t)t->K;
    double *w = t->state, *m = w + n, *v = m + n, *done = v + n;
    double way = fmin(*done / (double)t->steps, 1), part = fmax(0.5 * (1 + cos(pi * way)), least);
    double of_m = 1 - pow(beta1, *done + 1), of_v = 1 - pow(beta2, *done + 1);

    for (size_t k = 0; k < n; k++) {
        double g = t->slope[k];
        m[k] = beta1 * m[k] + (1 - beta1) * g;
        v[k] = beta2 * v[k] + (1 - beta2) * g * g;
        w[k] -= part * rate[k / (size_t)t->K] * (m[k] / of_m) / (sqrt(v[k] / of_v) + epsilon);
    }
    *done += 1;
}

int dd_tuner_step(ddpm_tuner *t, const double *x, const double *x0, const int32_t *classes, double *loss,
                  ddpm_error *err)
{
    bool finite = true;
    dd_tuner_run_forward(t, x, classes);
    double sum = compare(t, x0);
    if (isfinite(sum))
        dd_tuner_run_backward(t, classes);
    for (size_t k = 0; k < DD_TUNER_KINDS * (size_t)t->K; k++)
        finite &= isfinite(t->slope[k]) != 0;
    if (!isfinite(sum) || !finite)
        return dd_error(err, DDPM_ENAN,
                        "step %.0f of tuning was not taken: the loss or its gradient is not finite",
                        t->state[3 * DD_TUNER_KINDS * (size_t)t->K] + 1);
    move(t);
    *loss = sum;
    return DDPM_OK;
}
