/* The vector kernels, written once.  kernels_ISA.c includes this after vec_ISA.h, which gives the vocabulary.
   vf is a vector of VL floats:

     vf_set(a)                        a in every lane
     vf_load(p), vf_store(p, a)       VL floats, at any address
     vf_load_n, vf_store_n(.., n)     the first n < VL only, no other address; other lanes read as 0
     vf_load_or(p, n, fill)           the same, other lanes from fill
     vf_ahead(p)                      fetches the line at p into the second-level cache
     vf_next(p)                       the same into the first-level cache
     vf_add, vf_sub, vf_mul, vf_div   of two vectors
     vf_sqrt(a)                       correctly rounded
     vf_round(a)                      the nearest whole number, ties to even
     vf_fma(a, b, c)                  a b + c, rounded once; the only place where a product is not rounded
     vf_mac(a, b, c)                  the same where that is fast; otherwise the product is rounded too
     vf_min, vf_max(a, b)             b if either is a NaN (NEON: a NaN), so the data come second
     vf_above(a, b, c)                b where a > 0, else c
     vf_pow2(k)                       2^k for whole k; 2^-127 is 0, 2^128 is infinite
     vf_zip_low, vf_zip_high(a, b)    a0 b0 a1 b1 ..., the first VL of them and the second
     vf_sum(a)                        the sum of the lanes, in a fixed order
     vf_low_products(a, b)            products of b and the low halves of vf_lanes, VL / 2 lanes of 64 bits

   and ISA, its name; GEMM_MR and EACH_GEMM_ROW, the rows of a gemm tile.  The two that fetch are always
   inlined, because GCC sees no effect in a function of theirs and drops it. */
#include <math.h>
#include <string.h>
#include "kernel/kernels.h"

#define PASTE_(a, b) a##_##b
#define PASTE(a, b) PASTE_(a, b)
#define K(name) PASTE(name, ISA)
#define TEXT_(a) #a
#define TEXT(a) TEXT_(a)
#define INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define UNROLL _Pragma("unroll")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Runs a block of statements over n floats, a vector at a time: i is its offset, `lanes` how many floats it
   has, a constant but in the tail.  The tail is the same code, so an element's bits do not depend on its
   place. */
#define EACH_VECTOR(i, n, ...)           \
    do {                                 \
        size_t i = 0;                    \
        for (; i + VL <= (n); i += VL) { \
            enum { lanes = VL };         \
            __VA_ARGS__                  \
        }                                \
        if (i < (n)) {                   \
            size_t lanes = (n)-i;        \
            __VA_ARGS__                  \
        }                                \
    } while (0)

#ifndef vf_mac
#define vf_mac vf_fma
#endif

/* Loads and stores of `lanes` floats. */
INLINE vf vf_take(const float *p, size_t lanes)
{
    return lanes == VL ? vf_load(p) : vf_load_n(p, lanes);
}

INLINE vf vf_take_or(const float *p, size_t lanes, vf fill)
{
    return lanes == VL ? vf_load(p) : vf_load_or(p, lanes, fill);
}

INLINE void vf_put(float *p, vf a, size_t lanes)
{
    if (lanes == VL)
        vf_store(p, a);
    else
        vf_store_n(p, a, lanes);
}

#include "kernel/act_vec.h"
#include "kernel/map_vec.h"
#include "kernel/norm_vec.h"
#include "kernel/softmax_vec.h"
#include "kernel/sincos_vec.h"
#include "kernel/move_vec.h"
#include "kernel/optimise_vec.h"
#include "kernel/dropout_vec.h"
#include "kernel/gemm_vec.h"
#include "kernel/winograd_vec.h"
#include "kernel/outer_vec.h"
#include "kernel/winograd_gradient_vec.h"

void K(dd_kernels)(struct dd_kernels *k)
{
    k->name = TEXT(ISA);
    k->gemm_mr = GEMM_MR;
    k->gemm_nr = GEMM_NR;
#define KERNEL(name, ret, params) k->name = K(name);
#include "kernel/kernels.def"
#undef KERNEL
}
