/* Computes how a noisy image should change to look more like its class (Dhariwal and Nichol 2021, arXiv
   2105.05233, section 4):

     g = grad_x ln p(class | x_t),   p(. | x_t) = softmax(logits(x_t, t))

   The gradient by the logits is [k = class] - p(k).  The network's own backward pass carries it to x_t. */
#include "net/classifier.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "net/gradient.h"

struct ddpm_classifier {
    struct dd_gradient *gradient;
    size_t d; /* values of an image */
    int classes, batch;
    float t_scale;

    /* Of a slice: images, their gradients, logits, the gradients by these, steps. */
    float *x, *dx, *logits, *dlogits, *t;
};

/* Two schedules are the same if alpha_bar differs by no more than this.  Families compute the same schedule
   in float or in double; schedules of different kinds differ by 0.01 and more. */
static const double schedule_tolerance = 1e-4;

static int check_shape(const ddpm_about *a, const ddpm_about *of, ddpm_error *err)
{
    if (a->width != of->width || a->height != of->height || a->channels != of->channels)
        return dd_error(
            err, DDPM_EUSAGE,
            "the classifier knows images of %dx%d (width x height) and %d channels, the model makes "
            "them of %dx%d and %d",
            a->width, a->height, a->channels, of->width, of->height, of->channels);
    if (of->classes && a->classes != of->classes)
        return dd_error(err, DDPM_EUSAGE, "the classifier has %d classes, the model has %d", a->classes,
                        of->classes);
    return DDPM_OK;
}

/* Checks that both models mean the same noise by the same step. */
static int check_schedule(const ddpm_about *a, const ddpm_about *of, ddpm_error *err)
{
    if (a->steps != of->steps)
        return dd_error(err, DDPM_EUSAGE, "the classifier's chain has %d steps, the model's has %d", a->steps,
                        of->steps);
    for (int t = 0; t < a->steps; t++)
        if (!(fabs(a->alpha_bar[t] - of->alpha_bar[t]) <= schedule_tolerance))
            return dd_error(
                err, DDPM_EUSAGE,
                "the classifier and the model have different noise schedules: at t = %d alpha_bar "
                "is %.6g for the classifier and %.6g for the model",
                t, a->alpha_bar[t], of->alpha_bar[t]);
    return DDPM_OK;
}

static int check(const ddpm_model *m, const ddpm_about *of, ddpm_error *err)
{
    if (!m->about.classifier)
        return dd_error(err, DDPM_EUSAGE, "the model makes images, it is no classifier");
    if (of->classifier)
        return dd_error(err, DDPM_EUSAGE, "a classifier guides a model that makes images, not a classifier");
    int code = check_shape(&m->about, of, err);
    return code ? code : check_schedule(&m->about, of, err);
}

static int allocate(ddpm_classifier *c, ddpm_error *err)
{
    size_t batch = (size_t)c->batch, classes = (size_t)c->classes;
    c->x = dd_memory(batch, (2 * c->d + 2 * classes + 1) * sizeof *c->x);
    if (!c->x)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a classifier of %d images", c->batch);

    c->dx = c->x + batch * c->d;
    c->logits = c->dx + batch * c->d;
    c->dlogits = c->logits + batch * classes;
    c->t = c->dlogits + batch * classes;
    return DDPM_OK;
}

int dd_classifier_create(ddpm_classifier **out, const ddpm_model *m, const ddpm_about *of,
                         const ddpm_net_options *o, ddpm_error *err)
{
    const ddpm_about *a = &m->about;
    *out = NULL;
    int code = check(m, of, err);
    if (code)
        return code;

    ddpm_classifier *c = calloc(1, sizeof *c);
    if (!c)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a classifier");
    c->d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    c->classes = a->classes;
    c->t_scale = (float)a->t_scale;

    code = dd_gradient_create_by_inputs(&c->gradient, m, o, err);
    if (!code) {
        c->batch = dd_gradient_describe(c->gradient)->batch;
        code = allocate(c, err);
    }
    if (code)
        dd_classifier_free(c);
    else
        *out = c;
    return code;
}

void dd_classifier_free(ddpm_classifier *c)
{
    if (!c)
        return;
    dd_gradient_free(c->gradient);
    dd_memory_free(c->x);
    free(c);
}

const ddpm_net_about *dd_classifier_describe(const ddpm_classifier *c)
{
    return dd_gradient_describe(c->gradient);
}

/* Fills d [classes] with the gradient of ln softmax(logits)[class] by the logits. */
static void by_logits(float *d, const float *logits, int32_t class, int classes)
{
    double most = logits[0], sum = 0;
    for (int k = 1; k < classes; k++)
        most = fmax(most, logits[k]);
    for (int k = 0; k < classes; k++)
        sum += exp(logits[k] - most);
    for (int k = 0; k < classes; k++)
        d[k] = (float)((k == class) - exp(logits[k] - most) / sum);
}

/* Fills g [n, d] for at most c->batch images. */
static void run_slice(ddpm_classifier *c, double *g, const double *x, double t, const int32_t *classes, int n)
{
    size_t size = (size_t)n * c->d, K = (size_t)c->classes;
    const struct dd_slice s = {
        .out = c->logits,
        .x = c->x,
        .t = c->t,
        .n = n,
        .dout = c->dlogits,
        .dx = c->dx,
    };

    for (size_t e = 0; e < size; e++)
        c->x[e] = (float)x[e];
    for (int i = 0; i < n; i++)
        c->t[i] = (float)t * c->t_scale;
    dd_gradient_forward(c->gradient, &s);

    for (int i = 0; i < n; i++)
        by_logits(c->dlogits + (size_t)i * K, c->logits + (size_t)i * K, classes[i], c->classes);
    dd_gradient_backward(c->gradient, &s);

    for (size_t e = 0; e < size; e++)
        g[e] = c->dx[e];
}

static bool all_finite(const double *g, size_t n)
{
    bool good = true;
    for (size_t e = 0; e < n; e++)
        good &= isfinite(g[e]) != 0;
    return good;
}

int dd_classifier_gradient(ddpm_classifier *c, double *g, const double *x, double t, const int32_t *classes,
                           int n, ddpm_error *err)
{
    int lost = 0, first = 0;
    if (!classes)
        return dd_error(err, DDPM_EUSAGE, "the classifier needs a class for every image");
    for (int i = 0; i < n; i++)
        if (classes[i] < 0 || classes[i] >= c->classes)
            return dd_error(err, DDPM_EUSAGE, "the class of image %d is %d, expected 0 to %d", i,
                            (int)classes[i], c->classes - 1);

    for (int i = 0; i < n; i += c->batch) {
        size_t at = (size_t)i * c->d;
        run_slice(c, g + at, x + at, t, classes + i, n - i < c->batch ? n - i : c->batch);
    }

    for (int i = n - 1; i >= 0; i--)
        if (!all_finite(g + (size_t)i * c->d, c->d)) {
            lost++;
            first = i;
        }
    if (!lost)
        return DDPM_OK;
    return dd_error(
        err, DDPM_ENAN,
        "NaN or infinity in the gradient of the classifier, first in image %d of the batch; %d of "
        "%d images are lost",
        first, lost, n);
}
