/* The inside of the winograd engine: conv_winograd.c chooses the tiles, packs the weights and divides the
   work into blocks, conv_winograd_block.c computes a block. */
#ifndef DD_CONV_WINOGRAD_H
#define DD_CONV_WINOGRAD_H
#include <stdbool.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

enum { DD_WINOGRAD_PLANES = 64, DD_WINOGRAD_PIXELS = 36 }; /* of a tile, at most */

/* The tiles along a side of an image: `all` of them, of which the first `large` are `tile` wide and the
   others 4. */
struct dd_winograd_side {
    size_t large, all;
};

/* A convolution. */
struct dd_winograd {
    size_t tile;                      /* outputs of a tile along a side */
    size_t planes;                    /* products of a tile */
    size_t used;                      /* those of them that are not always 0 */
    size_t plane[DD_WINOGRAD_PLANES]; /* their numbers [used] */
    bool made;                        /* U is made in every run */

    /* The kernels; input and output serve all tiles but those of F(6x6). */
    void (*weights)(float *u, size_t plane, const float *w, size_t count);
    void (*input)(float *v, size_t plane, const float *const *x, size_t channels);
    void (*output)(float *const *y, const float *m, size_t plane, const float *bias,
                   const float *const *residual, float scale, size_t channels);
    size_t cin, cout, mr, nr, panels;
    struct dd_winograd_side across, down;

    size_t own, shared;  /* tiles of a block, at most */
    size_t parts, depth; /* input channels are added up in `parts`, `depth` at a time */
    size_t bias, zero;   /* where they lie in the packed block */
    size_t v;            /* floats of V of all threads */
    size_t u, m, places; /* floats of U, M and places of one thread */
};

/* The place of a tile: its image, the first row and column of its outputs, and how many of each there are. */
struct dd_winograd_place {
    size_t image;
    int row, column, rows, columns;
};

/* The kinds of F(6x6)'s tiles have 6x4, 6x6, 4x6 and 4x4 rows x columns.  In this order those that have the
   points 1/2 and -1/2 along a side follow each other. */
enum dd_winograd_kind {
    DD_WINOGRAD_TALL,
    DD_WINOGRAD_LARGE,
    DD_WINOGRAD_WIDE,
    DD_WINOGRAD_SMALL,
    DD_WINOGRAD_KINDS
};

/* One block of tiles at work. */
struct dd_winograd_block {
    const struct dd_winograd *g;
    const struct dd_kernels *k;
    const struct dd_map *x, *y;
    const struct dd_post *post;
    const float *packed, *bias;
    float *v;
    int doubled;
    size_t plane;                          /* floats from one plane of V to the next */
    size_t part;                           /* floats from `depth` channels of V to the next */
    size_t first, tiles;                   /* of the tiles of all images */
    const struct dd_winograd_place *place; /* of its tiles, by kind; NULL: not found yet */
    size_t kind[DD_WINOGRAD_KINDS + 1];    /* where each kind begins */
};

/* Returns the floats of a plane: an odd number of lines, since planes a power of two apart would meet in
   few sets of the cache. */
static inline size_t dd_winograd_plane(size_t rows, size_t columns)
{
    return dd_aligned(rows * columns) | 16;
}

/* Computes a block, by the calling thread alone.  u, m and places are the thread's scratch. */
void dd_conv_winograd_block_alone(struct dd_winograd_block *b, float *u, float *m,
                                  struct dd_winograd_place *places);
/* Computes a block, by all threads of the team. */
void dd_conv_winograd_block_together(struct dd_winograd_block *b, float *u, float *m,
                                     struct dd_winograd_place *places, struct dd_worker *worker,
                                     size_t threads);
#endif
