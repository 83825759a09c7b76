/* Attention over the pixels of an image, softmax (Vaswani et al. 2017) and linear (Shen et al. 2018).  Heads are contiguous slices of
   channels.  qkv [n, h, w, 3 * heads * dim] holds q of all heads, then k, then v, or, tied, what is both; y [n, h, w, heads * dim].  Backward: dqkv is
   overwritten; dmemory_kv, of memory_kv's shape, is added to, NULL without memory. */
#ifndef DD_ATTENTION_H
#define DD_ATTENTION_H
#include <stdbool.h>
#include "layer/map.h"

/* memory: learned key/value tokens put before those of the image, 0: none.  tied: keys are values; softmax without memory, forward. */
struct dd_attention {
    int h, w, heads, dim, memory;
    bool tied;
};

/* out = softmax(q k^T / sqrt(dim)) v.  memory_kv [2][heads][memory][dim], or NULL. */
void dd_attention_forward(const struct dd_context *ctx, const struct dd_map *y, const struct dd_map *qkv,
                          const struct dd_attention *a, const float *memory_kv);
size_t dd_attention_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch, int threads);
void dd_attention_backward(const struct dd_context *ctx, const struct dd_map *dqkv, float *dmemory_kv,
                           const struct dd_map *dy, const struct dd_map *qkv, const struct dd_attention *a,
                           const float *memory_kv);
size_t dd_attention_backward_scratch(const struct dd_kernels *k, const struct dd_attention *a, int batch,
                                     int threads);
double dd_attention_flops(const struct dd_attention *a);
/* q softmax over dim, times 1/sqrt(dim); k softmax over tokens; out = (k^T v)^T q.  memory_kv [2][heads][dim][memory]. */
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
