/* Computes a network's prediction and its vector-Jacobian product, J^T w with J = d prediction / dx, by one
   forward and one backward pass (reverse mode; differentiate.c).  The v of a learned variance is no part of
   the prediction, so its gradient is 0. */
#include "net/vjp.h"
#include <math.h>
#include <stdlib.h>
#include "net/gradient.h"

struct ddpm_vjp {
    struct dd_gradient *gradient;
    int batch;
    double t_scale;
    size_t pixels, channels, outputs, d; /* d is pixels * channels */
    float *x, *t, *out, *dout, *dx;      /* the arguments of a slice */
};

static int allocate(ddpm_vjp *v, ddpm_error *err)
{
    size_t batch = (size_t)v->batch, out = batch * v->pixels * v->outputs;
    v->x = dd_memory(batch * v->d, sizeof *v->x);
    v->dx = dd_memory(batch * v->d, sizeof *v->dx);
    v->out = dd_memory(out, sizeof *v->out);
    v->dout = dd_memory(out, sizeof *v->dout);
    v->t = dd_memory(batch, sizeof *v->t);
    if (v->x && v->dx && v->out && v->dout && v->t)
        return DDPM_OK;
    return dd_error(err, DDPM_ENOMEM,
                    "out of memory for the gradients of %zu images; a smaller batch needs less", batch);
}

int dd_vjp_create(ddpm_vjp **v, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err)
{
    const ddpm_about *a = &m->about;
    *v = NULL;
    int code = dd_model_makes_images(m, err);
    if (code)
        return code;
    ddpm_vjp *made = calloc(1, sizeof *made);
    if (!made)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a network with gradients");

    code = dd_gradient_create_by_inputs(&made->gradient, m, o, err);
    if (!code) {
        made->batch = dd_gradient_describe(made->gradient)->batch;
        made->t_scale = a->t_scale;
        made->pixels = (size_t)a->height * (size_t)a->width;
        made->channels = (size_t)a->channels;
        made->outputs = (size_t)a->outputs;
        made->d = made->pixels * made->channels;
        code = allocate(made, err);
    }
    if (code)
        dd_vjp_free(made);
    else
        *v = made;
    return code;
}

void dd_vjp_free(ddpm_vjp *v)
{
    if (!v)
        return;
    dd_gradient_free(v->gradient);
    dd_memory_free(v->x);
    dd_memory_free(v->dx);
    dd_memory_free(v->out);
    dd_memory_free(v->dout);
    dd_memory_free(v->t);
    free(v);
}

const ddpm_net_about *dd_vjp_describe(const ddpm_vjp *v)
{
    return dd_gradient_describe(v->gradient);
}

/* Takes n images as a slice; w goes into the gradient by the prediction. */
static struct dd_slice load(const ddpm_vjp *v, const double *x, const double *t, const double *w,
                            const int32_t *classes, int n)
{
    for (size_t e = 0; e < (size_t)n * v->d; e++) {
        size_t pixel = e / v->channels, c = e % v->channels;
        v->x[e] = (float)x[e];
        v->dout[pixel * v->outputs + c] = (float)w[e];
    }
    for (int k = 0; k < n; k++)
        v->t[k] = (float)t[k] * (float)v->t_scale;
    return (struct dd_slice){
        .out = v->out,
        .x = v->x,
        .t = v->t,
        .classes = classes,
        .n = n,
        .dout = v->dout,
        .dx = v->dx,
    };
}

/* Fills p and product [n, d] from a slice.  Returns the first image that is not finite, or n. */
static int store(const ddpm_vjp *v, double *p, double *product, int n)
{
    int first = n;
    for (size_t e = 0; e < (size_t)n * v->d; e++) {
        size_t pixel = e / v->channels, c = e % v->channels;
        p[e] = v->out[pixel * v->outputs + c];
        product[e] = v->dx[e];
        if (first == n && !(isfinite(p[e]) && isfinite(product[e])))
            first = (int)(e / v->d);
    }
    return first;
}

int dd_vjp_run(ddpm_vjp *v, double *p, double *product, const double *x, const double *t, const double *w,
               const int32_t *classes, int n, ddpm_error *err)
{
    int bad = n, code = dd_net_check_classes(dd_gradient_net(v->gradient), classes, n, err);
    if (code)
        return code;

    for (int i = 0; i < n; i += v->batch) {
        int few = n - i < v->batch ? n - i : v->batch;
        size_t at = (size_t)i * v->d;
        struct dd_slice s = load(v, x + at, t + i, w + at, classes ? classes + i : NULL, few);

        dd_gradient_forward(v->gradient, &s);
        dd_gradient_backward(v->gradient, &s);
        int lost = store(v, p + at, product + at, few);
        bad = bad == n && lost < few ? i + lost : bad;
    }
    if (bad == n)
        return DDPM_OK;
    return dd_error(err, DDPM_ENAN,
                    "NaN or infinity in the prediction or its gradient, in image %d of the batch", bad);
}
