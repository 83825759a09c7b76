/* Convolution (a linear layer is one of a single pixel): y[o] = b[o] + sum over i, kh, kw of w[o, i, kh, kw] x[i], zero-padded.
   An ordered list of engines behind one interface; which takes a layer is a fixed rule of shape and instruction set. */
#ifndef DD_CONV_H
#define DD_CONV_H
#include "layer/map.h"

/* h, w of the input; the four paddings.  doubled, 0 or 1: the input is read as if every pixel were 2x2, paddings then being of that image. */
struct dd_conv_shape {
    int h, w, cin, cout, kernel, stride, top, left, bottom, right, doubled;
};

struct dd_conv_setup {
    const struct dd_kernels *k;
    unsigned cpu;
    const char *engine;
    int batch, threads;
    struct dd_team *team;
}; /* engine NULL: the rule; team: packs the weights, NULL: the caller alone */
struct dd_conv;
struct dd_team;

int dd_conv_height(const struct dd_conv_shape *s); /* of the output */
int dd_conv_width(const struct dd_conv_shape *s);
/* Chooses and opens an engine.  A forced engine that cannot take this shape leaves it to the rule. */
int dd_conv_open(struct dd_conv **c, const struct dd_conv_shape *s, const struct dd_conv_setup *setup,
                 ddpm_error *err);
const char *dd_conv_engine(const struct dd_conv *c); /* "gemm", "dnnl:jit:avx2", "ref" */
double dd_conv_flops(const struct dd_conv_shape *s); /* per image, 2 per multiply-accumulate */
size_t dd_conv_packed(const struct dd_conv *c);      /* bytes of packed weights */
size_t dd_conv_scratch(
    const struct dd_conv *c); /* bytes, at setup.batch and threads, whatever pre, post and strides */
/* w OIHW, bias [cout] or NULL; packed: dd_conv_packed bytes, kept by the caller.  After this w is not needed. */
void dd_conv_pack(struct dd_conv *c, void *packed, const float *w, const float *bias);
/* Whether dd_conv_forward must be called outside of a team's run: the engine brings threads of its own. */
int dd_conv_alone(const struct dd_conv *c);
/* pre, post may be NULL; x->n <= batch; y overlaps neither x nor the residual. */
void dd_conv_forward(struct dd_conv *c, const struct dd_context *ctx, const struct dd_map *y,
                     const struct dd_map *x, const struct dd_pre *pre, const struct dd_post *post);
void dd_conv_close(struct dd_conv *c);
/* Every engine, and whether this build has it. */
#define DD_CONV_ENGINES(X) X(dnnl, HAVE_DNNL) X(winograd, 1) X(gemm, 1) X(ref, 1)
/* NULL-terminated names of those of this build: "dnnl", "winograd", "gemm", "ref". */
const char *const *dd_conv_engines(void);
/* "oneDNN 2.6.3", the library as it is loaded, or "no oneDNN". */
void dd_conv_library(char text[32]);
#endif
