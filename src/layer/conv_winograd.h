/* The inside of the winograd engine: conv_winograd.c chooses the tiles, packs the weights and divides the
   work into blocks, conv_winograd_block.c computes a block. */
#ifndef DD_CONV_WINOGRAD_H
#define DD_CONV_WINOGRAD_H
#include <stdbool.h>
#include "layer/conv_engine.h"
#include "layer/parallel.h"

/* The most products and the most outputs that a tile has. */
enum { DD_WINOGRAD_PLANES = 64, DD_WINOGRAD_PIXELS = 36 };

/* How a side of an image is cut into tiles: there are `all` of them; the first `large` are `tile` wide, the
   others 4. */
struct dd_winograd_side {
    size_t large, all;
};

/* A convolution as the winograd engine computes it. */
struct dd_winograd {
    size_t tile;                      /* how many outputs a tile has along a side */
    size_t planes;                    /* how many products a tile has */
    size_t used;                      /* how many of them are not always 0 */
    size_t plane[DD_WINOGRAD_PLANES]; /* [used] the numbers of these products */
    bool made;                        /* U is rebuilt in every run */

    /* The kernels.  input and output serve all tiles but those of F(6x6), which are of four kinds. */
    void (*weights)(struct dd_out u, const float *w, size_t count);
    void (*input)(struct dd_out v, const float *const *x, size_t channels);
    void (*output)(float *const *y, struct dd_in m, const struct dd_winograd_post *post, size_t channels);
    size_t cin, cout, mr, nr, panels;
    struct dd_winograd_side across, down;

    size_t own, shared;  /* the most tiles of a thread's own block and of a shared block */
    size_t parts, depth; /* input channels come in `parts` of `depth` channels */
    size_t bias, zero;   /* the offsets of bias and zeros in the packed block */
    size_t v;            /* floats of V for all threads */
    size_t u, m, places; /* floats of U, M and places for one thread */
};

/* The place of a tile: its image, and its outputs in it. */
struct dd_winograd_place {
    size_t image;
    struct dd_rectangle outputs;
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
    const float *packed;
    float *bias; /* [n][cout], with the bias of all images */
    float *v;
    int doubled;
    size_t plane;        /* floats from one plane of V to the next */
    size_t part;         /* floats from one part of V to the next */
    size_t first, tiles; /* the block's first tile, counted over all images, and how many it has */
    const struct dd_winograd_place *place; /* the places of the block's tiles, by kind; NULL: not found yet */
    size_t kind[DD_WINOGRAD_KINDS + 1];    /* the index in `place` at which each kind begins */
};

/* Returns the floats of a plane.  They fill an odd number of cache lines, because planes a power of two
   apart would compete for few sets of the cache. */
static inline size_t dd_winograd_plane(size_t rows, size_t columns)
{
    return dd_aligned(rows * columns) | 16;
}

/* Fills an image's row of b->bias: the layer's bias plus the image's `add`. */
void dd_conv_winograd_block_bias(const struct dd_winograd_block *b, size_t image);
/* Computes a block in the calling thread alone, after the bias of all images.  u, m and places are the
   thread's scratch. */
void dd_conv_winograd_block_alone(struct dd_winograd_block *b, float *u, float *m,
                                  struct dd_winograd_place *places);
/* Computes a block with all threads of the team; the first block, at tile 0, also the bias of all images. */
void dd_conv_winograd_block_together(struct dd_winograd_block *b, float *u, float *m,
                                     struct dd_winograd_place *places, struct dd_worker *worker,
                                     size_t threads);
#endif
