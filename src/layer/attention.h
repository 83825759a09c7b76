/* Attention over the pixels of an image, by softmax (Vaswani et al. 2017) and linear (Shen et al. 2018).

   Heads are contiguous slices of channels.  qkv [n, h, w, 3 * heads * dim] holds q of all heads, then k,
   then v.  A tied qkv has q and one more part, which is both k and v.  y is [n, h, w, heads * dim].  Backward
   overwrites dqkv and adds to dmemory_kv, which has the shape of memory_kv and is NULL without memory. */
#ifndef DD_ATTENTION_H
#define DD_ATTENTION_H
#include <stdbool.h>
#include "layer/map.h"

struct dd_attention {
    int h, w, heads, dim;
    int memory; /* how many learned key and value tokens stand before those of the image */
    bool tied;  /* keys and values are the same; for softmax forward without memory only */
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
/* Computes y = q' (k'^T v), where q' is softmax over dim of q, divided by sqrt(dim), and k' is softmax over
   tokens of k.  memory_kv [2][heads][dim][memory], or NULL. */
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
