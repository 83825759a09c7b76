/* What every layer works on.  A map is n images of h x w pixels of c channels; pixels are `stride` floats apart, images h * w * stride.
   A vector [n, c] is a map of one pixel.  So a concatenation is two producers writing into one buffer. */
#ifndef DD_MAP_H
#define DD_MAP_H
#include "kernel/kernels.h"

struct dd_map {
    float *data;
    int n, h, w, c;
    size_t stride;
};

/* n images of a map from `first` on. */
static inline struct dd_map dd_map_images(const struct dd_map *m, int first, int n)
{
    float *data = m->data ? m->data + (size_t)first * (size_t)m->h * (size_t)m->w * m->stride : NULL;
    return (struct dd_map){ data, n, m->h, m->w, m->c, m->stride };
}

struct dd_worker;

/* scratch: the caller's block, as large as the layer asked for at its own batch and threads; its contents mean nothing.  worker: this
   thread's place in the team that computes the layer together (layer/parallel.h), or NULL when the caller is alone.  Every thread of the
   team calls the layer's function, with the same arguments but for its worker. */
struct dd_context {
    const struct dd_kernels *k;
    int threads;
    float *scratch;
    struct dd_worker *worker;
};

/* Applied to a layer's input while it is loaded: act(x * scale + shift), scale and shift [n, c] (from dd_norm) or NULL. */
struct dd_pre {
    const float *scale, *shift;
    enum dd_act act;
};

/* Applied on store: (y + add + residual) * scale; add [n, .] by images add_stride floats apart, or NULL; residual or NULL. */
struct dd_post {
    const float *add;
    size_t add_stride;
    const struct dd_map *residual;
    float scale;
};
#endif
