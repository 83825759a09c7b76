/* Computes features of images, by which sets of images are compared:

     out[c] = mean over the pixels of h[., ., c],

   where h is the output of the network's middle block.  The walk over the list of nodes ends there. */
#include "net/features.h"
#include <math.h>

struct means {
    const ddpm_net *net;
    double *out; /* [n, features] the features of a slice */
};

/* Ends the walk at the middle, with its means in out. */
static int take(void *user, int node, const struct dd_map *y)
{
    const struct means *m = user;
    if (m->net->program.node[node].y != m->net->program.middle)
        return 0;

    size_t pixels = (size_t)y->h * (size_t)y->w;
    for (int i = 0; i < y->n; i++)
        for (int c = 0; c < y->c; c++) {
            const float *at = y->data + (size_t)i * pixels * y->stride + c;
            double sum = 0;
            for (size_t p = 0; p < pixels; p++)
                sum += at[p * y->stride];
            m->out[(size_t)i * (size_t)y->c + (size_t)c] = sum / (double)pixels;
        }
    return 1;
}

int dd_features(ddpm_net *net, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err)
{
    size_t features = (size_t)net->about.features;
    int code = dd_net_check_classes(net, classes, n, err);

    for (int i = 0; i < n && !code; i += net->batch) {
        struct dd_slice s = dd_net_load(net, x, t, classes, n, i);
        struct means m = { net, out + (size_t)i * features };
        dd_net_walk(net, &s, 0, net->program.nodes, take, &m);

        for (size_t k = 0; k < (size_t)s.n * features && !code; k++)
            if (!isfinite(m.out[k]))
                code = dd_error(err, DDPM_ENAN,
                                "NaN or infinity in the middle of the network, in image %d of the batch",
                                i + (int)(k / features));
    }
    return code;
}
