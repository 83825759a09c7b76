/* Images go through the network a batch at a time.  The activations for an image do not depend on the
   others. */
#include "measure/set_features.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/interrupt.h"

/* A data set, the network that its images go through, and room for a batch. */
struct look {
    const struct dataset *data;
    ddpm_net *net;
    int class;        /* one class for all images; negative: each has its class in the data */
    size_t d;         /* values of an image */
    double *x;        /* [batch, d] */
    int32_t *classes; /* [batch] */
};

double set_features_t(const ddpm_about *a)
{
    return floor(a->steps / 10.0);
}

/* Fills point [n, features] for n images, at most a batch, from image `first` on. */
static int look_at(double *point, const struct look *l, size_t first, int n, ddpm_error *err)
{
    const ddpm_about *a = l->data->about;

    for (int row = 0; row < n; row++) {
        size_t k = first + (size_t)row;
        int code = dataset_read(l->data, l->x + (size_t)row * l->d, k, err);
        if (code)
            return code;
        l->classes[row] = l->class >= 0 ? l->class : dataset_class(l->data, k);
    }

    int code =
        ddpm_net_features(l->net, point, l->x, set_features_t(a), a->classes ? l->classes : NULL, n, err);
    if (code)
        dd_error_context(err, "%s, from image %u on", l->data->path, l->data->index[first]);
    return code;
}

int set_features(double **point, const struct dataset *data, ddpm_net *net, int class, struct progress *p,
                 size_t done, ddpm_error *err)
{
    const ddpm_net_about *of = ddpm_net_describe(net);
    const ddpm_about *a = data->about;
    size_t features = (size_t)of->features, batch = (size_t)of->batch;
    struct look l = { .data = data,
                      .net = net,
                      .class = class,
                      .d = (size_t)a->height * (size_t)a->width * (size_t)a->channels };
    int code = DDPM_OK;

    l.x = calloc(batch, l.d * sizeof *l.x);
    l.classes = calloc(batch, sizeof *l.classes);
    *point = calloc(data->count, features * sizeof **point);
    if (!l.x || !l.classes || !*point)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the activations of %zu images", data->path,
                        data->count);

    for (size_t first = 0; first < data->count && !code && !interrupted; first += batch) {
        size_t rest = data->count - first;
        progress_at(p, (double)(done + first));
        code = look_at(*point + first * features, &l, first, (int)(rest < batch ? rest : batch), err);
    }

    free(l.x);
    free(l.classes);

    /* After an error the caller has nothing to free. */
    if (code) {
        free(*point);
        *point = NULL;
    }
    return code;
}
