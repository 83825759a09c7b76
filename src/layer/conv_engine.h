/* The engines of dd_conv.  An engine says what it takes besides dense maps and a bias.  For what it does
   not take, dd_conv_forward makes a pass over the input before it and over the output behind it. */
#ifndef DD_CONV_ENGINE_H
#define DD_CONV_ENGINE_H
#include "base/built.h"
#include "layer/conv.h"

/* Flags that say what an engine takes. */
enum {
    DD_CONV_PRE = 1,       /* the engine applies pre itself */
    DD_CONV_POST = 2,      /* the engine applies post itself */
    DD_CONV_STRIDED_X = 4, /* x may be strided */
    DD_CONV_STRIDED_Y = 8, /* y may be strided */
    DD_CONV_WHOLE = 16,    /* the engine wants the whole batch at once */
    DD_CONV_ALONE = 32     /* the engine brings threads of its own */
};

/* Weights before they are packed.  The weight of output channel o, input channel i and tap t is at[o * out
   + i * in + (flipped ? taps - 1 - t : t)].  So one struct describes OIHW as it is, and turned and
   transposed for the gradient by the input. */
struct dd_conv_weights {
    const float *at;
    size_t out, in;
    int flipped;
};

struct dd_conv {
    struct dd_conv_shape shape;
    const struct dd_kernels *k;
    int batch, threads;
    struct dd_team *team;
    const struct dd_conv_engine *engine;
    char label[64];                   /* the engine's name for itself */
    void *state;                      /* the engine's own state, from open to close */
    size_t packed_size, scratch_size; /* how many bytes the engine asks for; set by open */
    float *packed;                    /* the caller's block, set by pack */
};

struct dd_conv_engine {
    const char *name;
    unsigned takes; /* the flags DD_CONV_... */
    /* DDPM_EUNSUPPORTED: this engine does not take the shape, and err says why.  After a failure there is
       nothing to close. */
    int (*open)(struct dd_conv *c, const struct dd_conv_setup *setup, ddpm_error *err);
    void (*pack)(struct dd_conv *c, const struct dd_conv_weights *w, const float *bias);
    /* ctx->scratch has scratch_size bytes.  pre and post are NULL unless the engine takes them. */
    void (*forward)(const struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                    const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post);
    void (*close)(struct dd_conv *c); /* NULL: nothing to do */
};

extern const struct dd_conv_engine dd_conv_winograd, dd_conv_gemm, dd_conv_ref;
/* The engine that takes the place of gemm for the shapes that dd_conv_taps_takes. */
extern const struct dd_conv_engine dd_conv_taps;
int dd_conv_taps_takes(const struct dd_conv_shape *s);
/* Packs weights of any layout; the dnnl engine takes OIHW only. */
void dd_conv_pack_weights(struct dd_conv *c, void *packed, const struct dd_conv_weights *w,
                          const float *bias);
/* Computes y = act(x scale + shift), y dense or strided. */
void dd_conv_load(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *x,
                  const struct dd_pre *pre);

static inline int dd_conv_is_pointwise(const struct dd_conv_shape *s)
{
    return s->kernel == 1 && s->stride == 1 && !s->doubled && !s->top && !s->left && !s->bottom && !s->right;
}

/* The h x w pixels of one image, or of some of its rows. */
struct dd_conv_image {
    struct dd_in pixels;
    int h, w;
};

/* rows x columns pixels of an image from (row, column) on; some may lie outside of it. */
struct dd_rectangle {
    int row, column, rows, columns;
};

/* Returns an image of a map. */
static inline struct dd_conv_image dd_conv_image_of(const struct dd_map *m, size_t image)
{
    return (struct dd_conv_image){ dd_map_in(m, image * (size_t)m->h * (size_t)m->w), m->h, m->w };
}

/* Fills pixel [r.rows * r.columns] with pointers to the pixels of a rectangle, row by row.  Pointers outside
   of the image lead to `zero`. */
static inline void dd_rectangle(const float **pixel, struct dd_conv_image image, struct dd_rectangle r,
                                const float *zero)
{
    const float *data = image.pixels.at;
    size_t stride = image.pixels.stride;
    int h = image.h, w = image.w, end = r.column + r.columns;
    int whole = r.row >= 0 && r.column >= 0 && r.row + r.rows <= h && end <= w;

    for (int y = r.row; y < r.row + r.rows; y++) {
        ptrdiff_t at = ((ptrdiff_t)y * w + r.column) * (ptrdiff_t)stride;
        if (whole)
            for (int i = 0; i < r.columns; i++, at += stride)
                *pixel++ = data + at;
        else
            for (int x = r.column; x < end; x++, at += stride)
                *pixel++ = y >= 0 && y < h && x >= 0 && x < w ? data + at : zero;
    }
}

/* Fetches channels first .. first + n - 1 of a rectangle inside of an image, or of the pixels of the next
   image behind it.  The processor itself does not foresee the order in which tiles are read and written.
   The function is always inlined, because otherwise GCC sees no effect in it and drops the call. */
static inline __attribute__((always_inline)) void dd_rectangle_ahead(const struct dd_map *m, size_t image,
                                                                     struct dd_rectangle r, size_t first,
                                                                     size_t n)
{
    enum { LINE = 64 / sizeof(float) };

    size_t w = (size_t)m->w, pixels = (size_t)m->n * (size_t)m->h * w,
           at = (image * (size_t)m->h + (size_t)r.row) * w + (size_t)r.column;
    for (int i = 0; i < r.rows && at + (size_t)r.columns <= pixels; i++, at += w) {
        const float *pixel = m->data + at * m->stride + first;
        for (int j = 0; j < r.columns; j++, pixel += m->stride)
            for (size_t c = 0; c < n; c += LINE)
                __builtin_prefetch(pixel + c, 0, 2);
    }
}

#if HAVE_DNNL
extern const struct dd_conv_engine dd_conv_dnnl;
void dd_conv_dnnl_version(char text[32]);
#endif
#endif
