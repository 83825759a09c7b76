/* Attention over the pixels of an image, by softmax (Vaswani et al. 2017) and linear (Shen et al. 2018).

   Heads are contiguous slices of channels.  qkv [n, h, w, 3 * heads * dim] holds q of all heads, then k,
   then v; tied, it holds q and then what is both k and v.  y is [n, h, w, heads * dim].  Backward
   overwrites dqkv and adds to dmemory_kv, which has the shape of memory_kv and is NULL without memory. */
#ifndef DD_ATTENTION_H
#define DD_ATTENTION_H
#include <stdbool.h>
#include "layer/map.h"

struct dd_attention {
    int h, w, heads, dim;
    int memory; /* learned key and value tokens that stand before those of the image; 0: none */
    bool tied;  /* keys are values: softmax only, without memory, forward only */
};

/* Computes y = softmax(q k^T / sqrt(dim)) v.  memory_kv [2][heads][memory][dim], or NULL. */
void dd_attention_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *qkv,
                          const struct dd_attention *a, const float *memory_kv);
/* The functions ..._scratch return the bytes of scratch, ..._flops the floating-point operations of one
   image. */
size_t dd_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch, int threads);
void dd_attention_backward(const struct dd_context *ctx, const struct dd_map *dqkv, float *dmemory_kv,
                           const struct dd_map *dy, const struct dd_map *qkv, const struct dd_attention *a,
                           const float *memory_kv);
size_t dd_attention_backward_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch,
                                     int threads);
double dd_attention_flops(const struct dd_attention *a);
/* Computes y = q (k^T v), with softmax over dim applied to q, which is then divided by sqrt(dim), and
   softmax over tokens to k.  memory_kv [2][heads][dim][memory], or NULL. */
void dd_linear_attention_forward(const struct dd_context *ctx, const struct dd_map *y,
                                 const struct dd_map *qkv, const struct dd_attention *a,
                                 const float *memory_kv);
size_t dd_linear_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch,
                                   int threads);
void dd_linear_attention_backward(const struct dd_context *ctx, const struct dd_map *dqkv, float *dmemory_kv,
                                  const struct dd_map *dy, const struct dd_map *qkv,
                                  const struct dd_attention *a, const float *memory_kv);
size_t dd_linear_attention_backward_scratch(const struct dd_kernels *k, const struct dd_attention *a,
                                            int batch, int threads);
double dd_linear_attention_flops(const struct dd_attention *a);
#endif
