/* Images go through the network a batch at a time; what it says of one does not depend on the others. */
#include "measure/set_features.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"

double set_features_t(const ddpm_about *a)
{
    return floor(a->steps / 10.0);
}

/* Up to batch images from the first on; x [batch, d], classes [batch]. */
static int take(double *point, const struct dataset *data, ddpm_net *net, int class, size_t first, int n,
                double *x, int32_t *classes, ddpm_error *err)
{
    const ddpm_about *a = data->about;
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;
    int code = DDPM_OK;
    for (int row = 0; row < n && !code; row++) {
        size_t k = first + (size_t)row;
        classes[row] = class >= 0 ? class : dataset_class(data, k);
        code = dataset_read(data, x + (size_t)row * d, k, err);
    }
    if (!code &&
        (code = ddpm_net_features(net, point, x, set_features_t(a), a->classes ? classes : NULL, n, err)))
        dd_error_context(err, "%s, from image %u on", data->path, data->index[first]);
    return code;
}

int set_features(double **point, const struct dataset *data, ddpm_net *net, int class, struct progress *p,
                 size_t done, ddpm_error *err)
{
    const ddpm_net_about *of = ddpm_net_describe(net);
    size_t d = (size_t)data->about->height * (size_t)data->about->width * (size_t)data->about->channels,
           features = (size_t)of->features;
    double *x = calloc((size_t)of->batch, d * sizeof *x);
    int32_t *classes = calloc((size_t)of->batch, sizeof *classes);
    int code = DDPM_OK;
    *point = calloc(data->count, features * sizeof **point);
    if (!x || !classes || !*point)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the activations of %zu images", data->path,
                        data->count);
    for (size_t first = 0; first < data->count && !code; first += (size_t)of->batch) {
        size_t rest = data->count - first;
        int n = rest < (size_t)of->batch ? (int)rest : of->batch;
        progress_at(p, (double)(done + first));
        code = take(*point + first * features, data, net, class, first, n, x, classes, err);
    }
    free(x), free(classes);
    if (code) {
        free(*point);
        *point = NULL;
    }
    return code;
}
