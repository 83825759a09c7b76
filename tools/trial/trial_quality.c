/* Measures the quality of trials: sliced Wasserstein distance, PSNR, SSIM and bits per
   dimension.  Images are compared as the bytes that --npy stores, so that a reader of those
   files finds the same numbers. */
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/interrupt.h"
#include "measure/evaluation.h"
#include "measure/set_features.h"
#include "trial/bench_quality.h"
#include "trial/trial.h"

static size_t image_size(const ddpm_about *a)
{
    return (size_t)a->height * (size_t)a->width * (size_t)a->channels;
}

/* Fills point [n, features] for the images of a trial; `index` is the number of the first. */
static int features_of(double *point, const struct trials *t, const struct trial *one, int index,
                       ddpm_net *net, ddpm_error *err)
{
    size_t d = image_size(t->about);
    double *x = calloc((size_t)t->batch, d * sizeof *x);
    int32_t *classes = calloc((size_t)t->batch, sizeof *classes);
    int code = x && classes ? DDPM_OK : dd_error(err, DDPM_ENOMEM, "out of memory for %d images", t->batch);

    for (int first = 0; first < t->n && !code; first += t->batch) {
        int n = t->n - first < t->batch ? t->n - first : t->batch;
        const unsigned char *pixel = one->images.pixel + (size_t)first * d;

        /* Levels 0 to 255 become -1 to 1.  Image k has class k modulo the number of classes, as
           when it was made. */
        for (size_t e = 0; e < (size_t)n * d; e++)
            x[e] = pixel[e] / 127.5 - 1;
        for (int row = 0; row < n && t->about->classes; row++)
            classes[row] = (int32_t)((index + first + row) % t->about->classes);
        code = ddpm_net_features(net, point + (size_t)first * (size_t)t->features, x,
                                 set_features_t(t->about), t->about->classes ? classes : NULL, n, err);
    }
    free(x);
    free(classes);
    return code;
}

/* Fills *point, allocated, with the points of the data or, without data, of the reference's images. */
static int look_at_reference(double **point, const struct trials *t, ddpm_net *net, struct progress *p,
                             ddpm_error *err)
{
    const struct set_features of = { .data = t->data, .net = net, .class = -1, .progress = p };
    if (t->data)
        return set_features(point, &of, err);

    *point = calloc((size_t)t->n, (size_t)t->features * sizeof **point);
    if (!*point)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the activations of %d images", t->n);
    return features_of(*point, t, &t->reference, t->n, net, err);
}

/* Measures the distance of each trial from the reference.  A set with a lost image is not compared. */
static int measure_distances(struct trials *t, ddpm_net *net, ddpm_error *err)
{
    size_t features = (size_t)t->features, m = t->data ? t->data->count : (size_t)t->n;
    struct progress p;
    double *reference = NULL, *point = calloc((size_t)t->n, features * sizeof *point);
    int code;

    progress_begin(&p, t->common, "sets", t->count);
    if (!point)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for the activations of %d images", t->n);
    else
        code = look_at_reference(&reference, t, net, &p, err);

    for (int i = 0; i < t->count && !code && !interrupted && !t->reference.lost; i++) {
        struct trial *one = &t->trial[i];

        progress_at(&p, i);
        if (one->lost)
            continue;
        code = features_of(point, t, one, 0, net, err);
        if (code)
            break;
        struct point_sets sets = { .a = point, .b = reference, .n = (size_t)t->n, .m = m, .d = features };
        code = sliced_measure(&one->measured, &sets, t->seed, err);
        one->compared = !code && !interrupted;
        if (one->compared)
            sliced_distance(&one->distance, &one->measured);
    }
    progress_clear(&p);
    free(reference);
    free(point);
    return code;
}

/* Returns the trial of this sampler that has the most steps. */
static const struct trial *most_of(const struct trials *t, const char *sampler)
{
    const struct trial *most = NULL;
    for (int i = 0; i < t->count; i++)
        if (t->trial[i].sampler == sampler && (!most || t->trial[i].K > most->K))
            most = &t->trial[i];
    return most;
}

/* For each sampler that adds no noise, compares its images with those of its own most steps. */
static int measure_limits(struct trials *t, ddpm_error *err)
{
    const ddpm_about *a = t->about;
    const struct quality_shape shape = { (size_t)t->n, a->height, a->width, a->channels };
    int code = DDPM_OK;

    for (int i = 0; i < t->count && !code; i++) {
        struct trial *one = &t->trial[i];
        const struct trial *most = most_of(t, one->sampler);
        one->rmse = one->psnr = one->ssim = NAN;
        if (!one->fixed || one == most || one->lost || most->lost)
            continue;
        one->rmse = quality_rmse(one->images.pixel, most->images.pixel, image_size(a) * (size_t)t->n);
        one->psnr = quality_psnr(one->rmse);
        code = quality_ssim(&one->ssim, one->images.pixel, most->images.pixel, &shape, err);
    }
    return code;
}

/* Measures the bits per dimension of the data by the chain of K steps. */
static int bits_of(double *bits, const struct trials *t, int K, ddpm_error *err)
{
    struct evaluation e;
    char steps[16];

    snprintf(steps, sizeof steps, "%d", K);
    struct evaluation_options o = {
        .model = t->model,
        .data = t->data,
        .command = t->command,
        .common = t->common,
        .steps = steps,
        .spacing = t->spacing,
        .variance = t->variance,
        .clip = t->about->clip,
        .seed = t->seed,
        .batch = t->batch,
        .class = -1,
    };

    int code = evaluation_open(&e, &o, err);
    if (code)
        return code;

    code = evaluation_run(&e, NULL, NULL, err);
    *bits = code || interrupted ? NAN : eval_sums_mean(&e.eval_sums, EVAL_SUMS_TOTAL).mean;
    evaluation_close(&e);
    return code;
}

/* Measures bits per dimension, once for each number of steps, as they depend on the chain and
   not on the sampler. */
static int measure_bits(struct trials *t, ddpm_error *err)
{
    int code = DDPM_OK;

    for (int i = 0; i < t->count && !code; i++) {
        /* Trial k is the first with the same number of steps. */
        int k = 0;
        t->trial[i].bits = NAN;
        while (t->trial[k].K != t->trial[i].K)
            k++;
        if (k < i)
            t->trial[i].bits = t->trial[k].bits;
        else if (t->data && !interrupted)
            code = bits_of(&t->trial[i].bits, t, t->trial[i].K, err);
    }
    return code;
}

int trials_compare(struct trials *t, ddpm_error *err)
{
    ddpm_net *net;
    int code = model_net(&net, t->model, t->common, t->batch, err);

    if (!code)
        code = measure_distances(t, net, err);
    ddpm_net_free(net);
    if (!code)
        code = measure_limits(t, err);
    if (!code)
        code = measure_bits(t, err);
    return code;
}
