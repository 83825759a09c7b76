/* Arithmetic on arrays of float, called through one table of functions per handle.  Arrays are NHWC: a pixel
   is `channels` floats, and pixels are `stride` floats apart.

   kernels.def lists every kernel, with what it computes and how exactly.  Each exists twice: in plain C
   (kernels_ref.c), and over the vector vocabulary (kernels_vec.h), which is compiled for each instruction
   set. */
#ifndef DD_KERNELS_H
#define DD_KERNELS_H
#include <stddef.h>
#include <stdint.h>
#include "base/cpu.h"

enum dd_act { DD_ACT_NONE, DD_ACT_SILU, DD_ACT_GELU, DD_ACT_RELU, DD_ACT_MISH };

/* Pixels that a kernel reads, or writes: pixel p begins at at + p * stride.  The rows of a matrix and the
   planes of a Winograd transform are described in the same way. */
struct dd_in {
    const float *at;
    size_t stride;
};

struct dd_out {
    float *at;
    size_t stride;
};

/* The pixels of a gradient, which a kernel writes, or with `add` adds to. */
struct dd_grad_out {
    float *at;
    size_t stride;
    int add;
};

static inline struct dd_in dd_in(const float *at, size_t stride)
{
    return (struct dd_in){ at, stride };
}

static inline struct dd_out dd_out(float *at, size_t stride)
{
    return (struct dd_out){ at, stride };
}

/* The terms of act(x scale[c] + shift[c]).  scale and shift [channels] are both NULL for act(x). */
struct dd_affine_terms {
    const float *scale, *shift;
    enum dd_act act;
};

/* The sums over pixels that affine_backward computes, and what it subtracts from x; [channels] each. */
struct dd_affine_sums {
    float *sum, *product;
    const float *pivot;
};

/* The terms of act(v (1 + scale[c]) + shift[c]), v = x gain[c] / ||x||.  gain [channels] holds g sqrt(C);
   scale and shift [channels] are both NULL for act(v). */
struct dd_rms_terms {
    const float *gain, *scale, *shift;
    enum dd_act act;
};

/* The sums over pixels that rms_backward computes, and a row for its own use; [channels] each. */
struct dd_rms_sums {
    float *sum, *product, *row;
};

/* The terms of (x + bias[c] + residual) scale. */
struct dd_post_terms {
    const float *bias;     /* [channels], or NULL for 0 */
    struct dd_in residual; /* as many pixels as x; at is NULL for 0 */
    float scale;
};

/* The end of a Winograd output: y becomes (y + bias[c] + residual[k][c]) scale for pixel k. */
struct dd_winograd_post {
    const float *bias;            /* [channels], or NULL for 0 */
    const float *const *residual; /* pointers to the channels of pixels that y has; NULL for 0 */
    float scale;
};

/* One tile of a product A B, see kernels.def.  Zero in load, post or ahead means without. */
struct dd_gemm {
    const float *const *a; /* [taps][gemm_mr] pointers to `depth` floats, of which m are read */
    const float *b;        /* [taps][depth][gemm_nr], a panel, padded with zeros to gemm_nr columns */
    size_t taps, depth;    /* how many products an element sums */
    size_t m, n;           /* the rows and columns of the tile, at most gemm_mr and gemm_nr */
    int load;              /* whether the sums begin with what is in the tile */
    const struct dd_post_terms *post; /* what is done to the sums; its residual is [m, n] */
    struct dd_in ahead;               /* rows to fetch, one for each row of b; a hint */
};

/* The words that the kernel dropout compares with limit, see kernels.def, and the scale of what is kept. */
struct dd_dropout_terms {
    uint32_t counter[4], key[2]; /* of the first Philox block */
    size_t skip;                 /* how many words of it come before the first, 0 to 3 */
    uint32_t limit;
    float scale;
};

/* The numbers of one step of the kernel adam, see kernels.def. */
struct dd_adam {
    float clip, keep1, take1, keep2, take2, root, epsilon, step, keep;
};

enum { DD_GEMM_MR_MAX = 32 };

/* The table of kernels.  name is that of its best instruction set, "ref" or one of cpu.def.  A gemm tile
   has gemm_mr rows, at most DD_GEMM_MR_MAX, and gemm_nr columns; a panel of b has gemm_nr columns. */
struct dd_kernels {
    const char *name;
    size_t gemm_mr, gemm_nr;
#define KERNEL(name, ret, params) ret(*name) params;
#include "kernel/kernels.def"
#undef KERNEL
};

/* Fills the table with the reference, then with the kernels of the sets in cpu (DD_CPU_...) that the build
   has. */
void dd_kernels_init(struct dd_kernels *k, unsigned cpu);

/* Each fills in the kernels of its instruction set. */
void dd_kernels_ref(struct dd_kernels *k);
#define CPU_SET(name, NAME, includes) void dd_kernels_##name(struct dd_kernels *k);
#include "base/cpu.def"
#undef CPU_SET
#endif
