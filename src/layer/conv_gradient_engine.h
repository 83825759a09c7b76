/* Inside of dd_conv_gradient: the gradient by the input is that of another convolution or, strided, of several; the gradient by the weights
   is direct or, 3x3 of stride 1, by Winograd. */
#ifndef DD_CONV_GRADIENT_ENGINE_H
#define DD_CONV_GRADIENT_ENGINE_H
#include "layer/conv_engine.h"
#include "layer/conv_gradient.h"
#include "layer/conv_outer.h"

/* How a gradient by the weights is cut, and where its parts lie in the scratch block, in floats. */
struct dd_conv_gradient_plan {
    struct dd_conv_outer outer;
    int exchanged, swapped;   /* direct: patches are of dz; rows are channels of what is read by pixels */
    struct dd_conv_shape sum; /* direct: the convolution whose gradient is summed */
    size_t across, down, rows,
        strips; /* winograd: tiles of an image; rows of tiles of a strip; strips of an image */
    size_t a, b, c, bias, zero, thread; /* thread: the first thread's own part */
    size_t own, all;                    /* floats of a thread; of the whole */
};

struct dd_conv_gradient {
    struct dd_conv_shape shape;
    const struct dd_kernels *k;
    int batch, threads, tiled;
    struct dd_team *team;
    struct dd_conv *data; /* stride 1 */
    const float *packed;  /* other strides */
    struct dd_conv_gradient_plan plan;
};

/* One gradient by the weights at work. */
struct dd_conv_gradient_work {
    const struct dd_conv_gradient *g;
    const struct dd_map *dz, *x;
    const struct dd_pre *pre;
    float *scratch, *dw, *db;
};

/* The convolution of stride 1 that gives dx. */
struct dd_conv_shape dd_conv_gradient_shape(const struct dd_conv_shape *s);
/* Sets the plan's places from a on, for `own` floats of each thread. */
void dd_conv_gradient_place(struct dd_conv_gradient *g, size_t own);
/* bias [cout] of double += sums over `count` <= 64 rows of panel `panel` of dz, which lie at z, zs apart. */
void dd_conv_gradient_bias(const struct dd_conv_gradient_work *w, size_t panel, const float *z, size_t zs,
                           size_t count);

size_t dd_conv_gradient_stride_packed(const struct dd_conv_gradient *g);
void dd_conv_gradient_stride_pack(const struct dd_conv_gradient *g, float *packed, const float *w);
void dd_conv_gradient_stride_data(const struct dd_conv_gradient *g, const struct dd_context *ctx,
                                  const struct dd_map *dx, const struct dd_map *dz);
void dd_conv_gradient_direct_plan(struct dd_conv_gradient *g);
void dd_conv_gradient_direct_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker);
void dd_conv_gradient_winograd_plan(struct dd_conv_gradient *g);
void dd_conv_gradient_winograd_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker);
#endif
