/* Convolution, padded with zeros.  A linear layer is the case of a single pixel.

     y[o] = b[o] + sum over i, kh, kw of w[o, i, kh, kw] x[i].

   There is an ordered list of engines behind one interface.  A fixed rule of shape and instruction set says
   which one takes a layer. */
#ifndef DD_CONV_H
#define DD_CONV_H
#include "layer/map.h"

struct dd_conv_shape {
    int h, w; /* the size of the input */
    int cin, cout, kernel, stride;
    int top, left, bottom, right; /* padding */
    int doubled; /* 0 or 1: x is read as if every pixel were 2x2, with the padding around that */
};

struct dd_conv_setup {
    const struct dd_kernels *k;
    unsigned cpu;         /* DD_CPU_... */
    const char *engine;   /* the engine that the caller forces; NULL: the rule chooses */
    int batch, threads;   /* the largest batch and the number of threads */
    struct dd_team *team; /* the team that packs the weights; NULL: the caller packs them alone */
};

struct dd_conv;
struct dd_team;

/* Return the height and the width of the output. */
int dd_conv_height(const struct dd_conv_shape *s);
int dd_conv_width(const struct dd_conv_shape *s);
/* Chooses and opens an engine.  A forced engine that cannot take this shape leaves it to the rule.  The
   caller closes it with dd_conv_close. */
int dd_conv_open(struct dd_conv **c, const struct dd_conv_shape *s, const struct dd_conv_setup *setup,
                 ddpm_error *err);
/* Returns what the engine calls itself: "gemm", "dnnl:jit:avx2", "ref". */
const char *dd_conv_engine(const struct dd_conv *c);
/* Returns the floating-point operations of one image, 2 for each multiply-accumulate. */
double dd_conv_flops(const struct dd_conv_shape *s);
/* Returns the bytes of packed weights. */
size_t dd_conv_packed(const struct dd_conv *c);
/* Returns the bytes of scratch at setup's batch and threads, for every pre, post and stride. */
size_t dd_conv_scratch(const struct dd_conv *c);
/* Packs w OIHW and bias [cout], or NULL for zeros, into `packed`, dd_conv_packed bytes that the caller
   keeps.  w is not needed afterwards. */
void dd_conv_pack(struct dd_conv *c, void *packed, const float *w, const float *bias);
/* Says whether dd_conv_forward must be called outside of a team's run, because the engine brings threads of
   its own. */
int dd_conv_alone(const struct dd_conv *c);
/* Computes y.  pre and post may be NULL; x->n <= batch; y overlaps neither x nor the residual. */
void dd_conv_forward(struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                     const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post);
void dd_conv_close(struct dd_conv *c);
/* The engines, a row for each: its name, and whether this build has it. */
#define DD_CONV_ENGINES(X) X(dnnl, HAVE_DNNL) X(winograd, 1) X(gemm, 1) X(ref, 1)
/* Returns the names of this build's engines, NULL last: "dnnl", "winograd", "gemm", "ref". */
const char *const *dd_conv_engines(void);
/* Writes the version of the loaded oneDNN, "oneDNN 2.6.3", or "no oneDNN". */
void dd_conv_library(char text[32]);
#endif
