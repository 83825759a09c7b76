/* The inside of dd_conv_gradient.  The gradient by the input is another convolution or, if strided,
   several.  The gradient by the weights is direct or, for 3x3 of stride 1, by Winograd. */
#ifndef DD_CONV_GRADIENT_ENGINE_H
#define DD_CONV_GRADIENT_ENGINE_H
#include <stdbool.h>
#include "layer/conv_engine.h"
#include "layer/conv_gradient.h"
#include "layer/conv_outer.h"

/* A gradient by the weights: how it is cut, and where its parts lie in the scratch block, in floats. */
struct dd_conv_gradient_plan {
    struct dd_conv_outer outer;

    /* direct */
    int exchanged;            /* 1 if patches are read from dz instead of x' */
    int swapped;              /* 1 if rows are channels of the map that is read by pixels */
    struct dd_conv_shape sum; /* the convolution whose gradient is summed */

    /* winograd */
    size_t across, down; /* how many tiles an image has in each direction */
    size_t rows;         /* how many rows of tiles a strip has */
    size_t strips;       /* how many strips an image has */

    size_t a, b, c, bias, zero;
    size_t thread; /* the offset of the first thread's own part */
    size_t own;    /* the size of a thread's own part */
    size_t all;    /* the size of the whole */
};

struct dd_conv_gradient {
    struct dd_conv_shape shape;
    const struct dd_kernels *k;
    int batch, threads;
    int tiled; /* 1 if the gradient by the weights is computed by Winograd */
    struct dd_team *team;
    struct dd_conv *data; /* the convolution that gives dx at stride 1, else NULL */
    const float *packed;  /* the packed weights for dx at other strides */
    struct dd_conv_gradient_plan plan;
};

/* One computation of a gradient by the weights. */
struct dd_conv_gradient_work {
    const struct dd_conv_gradient *g;
    const struct dd_map *dz, *x;
    const struct dd_pre *pre;
    float *scratch, *dw, *db;
};

/* Returns the convolution of stride 1 that gives dx. */
struct dd_conv_shape dd_conv_gradient_shape(const struct dd_conv_shape *s);
/* Sets the plan's offsets from a on, with `own` floats for each thread. */
void dd_conv_gradient_place(struct dd_conv_gradient *g, size_t own);
/* Fills bias [cout], in double, with the sums over z, `count` <= 64 rows of dz for panel `panel`, or with
   `add` adds them. */
void dd_conv_gradient_bias(const struct dd_conv_gradient_work *w, size_t panel, struct dd_in z, size_t count,
                           bool add);
/* Adds to dw the sums of panel `row` of the rows and panel `column` of the columns.  own is the thread's own
   part of the scratch. */
typedef void dd_conv_gradient_panels(const struct dd_conv_gradient_work *w, float *own, size_t row,
                                     size_t column);
/* The last loop of a gradient: adds the sums of all panels to dw by store_panels, and bias to db unless it is
   NULL. */
void dd_conv_gradient_store(const struct dd_conv_gradient_work *w, struct dd_worker *worker,
                            dd_conv_gradient_panels *store_panels);

size_t dd_conv_gradient_stride_packed(const struct dd_conv_gradient *g);
void dd_conv_gradient_stride_pack(const struct dd_conv_gradient *g, float *packed, const float *w);
void dd_conv_gradient_stride_data(const struct dd_conv_gradient *g, const struct dd_context *ctx,
                                  const struct dd_map *dx, const struct dd_map *dz);
void dd_conv_gradient_direct_plan(struct dd_conv_gradient *g);
void dd_conv_gradient_direct_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker);
void dd_conv_gradient_winograd_plan(struct dd_conv_gradient *g);
void dd_conv_gradient_winograd_run(const struct dd_conv_gradient_work *w, struct dd_worker *worker);
#endif
