/* The arguments that all layers share.

   A map is n images of h x w pixels of c channels.  Pixels lie `stride` floats apart, images h * w *
   stride.  A vector [n, c] is a map of one pixel.  With a stride larger than c, two layers can write their
   channels side by side into one buffer: a concatenation without a copy. */
#ifndef DD_MAP_H
#define DD_MAP_H
#include <stdbool.h>
#include "kernel/kernels.h"

struct dd_map {
    float *data;
    int n, h, w, c;
    size_t stride;
};

/* Returns n images of a map from `first` on. */
static inline struct dd_map dd_map_images(const struct dd_map *m, int first, int n)
{
    float *data = m->data ? m->data + (size_t)first * (size_t)m->h * (size_t)m->w * m->stride : NULL;
    return (struct dd_map){ data, n, m->h, m->w, m->c, m->stride };
}

/* Return the pixels of a map from `pixel` on, counted over all images, for a kernel to read or to write. */
static inline struct dd_in dd_map_in(const struct dd_map *m, size_t pixel)
{
    return dd_in(m->data + pixel * m->stride, m->stride);
}

static inline struct dd_out dd_map_out(const struct dd_map *m, size_t pixel)
{
    return dd_out(m->data + pixel * m->stride, m->stride);
}

/* The place of a gradient.  A layer overwrites `map`, or with `add` adds to it.  NULL: nobody asks for it. */
struct dd_grad_map {
    const struct dd_map *map;
    bool add;
};

/* Returns its pixels from `pixel` on, counted over all images. */
static inline struct dd_grad_out dd_grad_map_out(struct dd_grad_map d, size_t pixel)
{
    return (struct dd_grad_out){ d.map->data + pixel * d.map->stride, d.map->stride, d.add };
}

/* Stores g, `pixels` pixels of the gradient, in its place from `pixel` on. */
static inline void dd_grad_map_store(const struct dd_kernels *k, struct dd_grad_map d, size_t pixel,
                                     struct dd_in g, size_t pixels)
{
    struct dd_out to = dd_map_out(d.map, pixel);
    const struct dd_post_terms sum = { .residual = dd_in(d.add ? to.at : NULL, to.stride), .scale = 1 };
    k->post(to, g, &sum, pixels, (size_t)d.map->c);
}

struct dd_worker;

/* The arguments of a layer's function besides its maps.  Every thread of the team calls the function with
   the same arguments, except for its worker. */
struct dd_context {
    const struct dd_kernels *k;
    int threads;
    float *scratch; /* the caller's block, as large as the layer asked for; its contents mean nothing */
    struct dd_worker *worker; /* this thread's place in the team (parallel.h); NULL: the caller is alone */
};

/* A layer's change of its input while it loads it: act(x * scale + shift).  scale and shift [n, c] come
   from a group norm, or both are NULL. */
struct dd_pre {
    const float *scale, *shift;
    enum dd_act act;
};

/* Returns what pre does to an image of c channels; pre may be NULL. */
static inline struct dd_affine_terms dd_pre_terms(const struct dd_pre *pre, size_t image, size_t c)
{
    const float *scale = pre ? pre->scale : NULL;
    return (struct dd_affine_terms){
        .scale = scale ? scale + image * c : NULL,
        .shift = scale ? pre->shift + image * c : NULL,
        .act = pre ? pre->act : DD_ACT_NONE,
    };
}

/* A layer's change of its output while it stores it: (y + add + residual) * scale. */
struct dd_post {
    const float *add;              /* [n, c], or NULL */
    size_t add_stride;             /* floats between the images of add */
    const struct dd_map *residual; /* [n, h, w, c], or NULL */
    float scale;
};
#endif
