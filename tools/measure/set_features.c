/* Images go through the network a batch at a time.  The activations for an image do not depend
   on the others. */
#include "measure/set_features.h"
#include <math.h>
#include <stdlib.h>
#include "base/error.h"
#include "cli/interrupt.h"

/* The images and their network, and room for a batch. */
struct look {
    const struct set_features *of;
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
    const struct dataset *data = l->of->data;
    const ddpm_about *a = data->about;

    for (int row = 0; row < n; row++) {
        size_t k = first + (size_t)row;
        int code = dataset_read(data, l->x + (size_t)row * l->d, k, err);
        if (code)
            return code;
        l->classes[row] = l->of->class >= 0 ? l->of->class : dataset_class(data, k);
    }

    int code =
        ddpm_net_features(l->of->net, point, l->x, set_features_t(a), a->classes ? l->classes : NULL, n, err);
    if (code)
        dd_error_context(err, "%s, from image %u on", data->path, data->index[first]);
    return code;
}

int set_features(double **point, const struct set_features *of, ddpm_error *err)
{
    const ddpm_net_about *net = ddpm_net_describe(of->net);
    const struct dataset *data = of->data;
    const ddpm_about *a = data->about;
    size_t features = (size_t)net->features, batch = (size_t)net->batch;
    struct look l = { .of = of, .d = (size_t)a->height * (size_t)a->width * (size_t)a->channels };
    int code = DDPM_OK;

    l.x = calloc(batch, l.d * sizeof *l.x);
    l.classes = calloc(batch, sizeof *l.classes);
    *point = calloc(data->count, features * sizeof **point);
    if (!l.x || !l.classes || !*point)
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory for the activations of %zu images", data->path,
                        data->count);

    for (size_t first = 0; first < data->count && !code && !interrupted; first += batch) {
        size_t rest = data->count - first;
        progress_at(of->progress, (double)(of->done + first));
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
