/* Features of images, by which sets of images are compared:

     out[c] = mean over the pixels of h[., ., c],

   where h is the output of the network's middle block.  The walk over the list of nodes ends there. */
#include "net/features.h"
#include <math.h>

struct means {
    const ddpm_net *net;
    double *out; /* [n, features] of a slice */
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
    const struct dd_config *c = &net->config;
    size_t d = (size_t)c->height * (size_t)c->width * (size_t)c->channels,
           outs = d / (size_t)c->channels * (size_t)c->outputs;
    size_t features = (size_t)net->about.features;
    float *in = net->io, *o = in + (size_t)net->batch * d, *step = o + (size_t)net->batch * outs;
    int code = dd_net_check_classes(net, classes, n, err);
    for (int i = 0; i < n && !code; i += net->batch) {
        struct dd_slice s = { .out = o,
                              .x = in,
                              .t = step,
                              .classes = classes ? classes + i : NULL,
                              .n = n - i < net->batch ? n - i : net->batch };
        struct means m = { net, out + (size_t)i * features };
        for (size_t k = 0; k < (size_t)s.n * d; k++)
            in[k] = (float)x[(size_t)i * d + k];
        for (int k = 0; k < s.n; k++)
            step[k] = (float)t * (float)net->t_scale;
        dd_net_walk(net, &s, 0, net->program.nodes, take, &m);
        for (size_t k = 0; k < (size_t)s.n * features && !code; k++)
            if (!isfinite(m.out[k]))
                code = dd_error(err, DDPM_ENAN,
                                "NaN or infinity in the middle of the network, in image %d of the batch",
                                i + (int)(k / features));
    }
    return code;
}
