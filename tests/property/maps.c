/* Random maps, see maps.h. */
#include "maps.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/cpu.h"

static float uniform(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1;
}

struct dd_map map_create(int n, int h, int w, int c, int gap, unsigned seed)
{
    struct dd_map m = { NULL, n, h, w, c, (size_t)(c + gap) };
    uint32_t state = seed * 7919u + 1;
    size_t pixels = (size_t)n * (size_t)h * (size_t)w;
    m.data = dd_memory(pixels * m.stride, sizeof(float));
    if (!m.data)
        abort();
    for (size_t p = 0; p < pixels; p++)
        for (size_t i = 0; i < m.stride; i++)
            m.data[p * m.stride + i] = i < (size_t)c ? uniform(&state) : NAN;
    return m;
}

void map_free(struct dd_map *m)
{
    dd_memory_free(m->data);
    m->data = NULL;
}

struct dd_map map_images(const struct dd_map *m, int first, int n)
{
    struct dd_map part = *m;
    part.data += (size_t)first * (size_t)m->h * (size_t)m->w * m->stride;
    part.n = n;
    return part;
}

int map_whole(const struct dd_map *m)
{
    for (size_t p = 0; p < (size_t)m->n * (size_t)m->h * (size_t)m->w; p++)
        for (size_t i = (size_t)m->c; i < m->stride; i++)
            if (!isnan(m->data[p * m->stride + i]))
                return 0;
    return 1;
}

int map_same(const struct dd_map *m, int first, const struct dd_map *expected, int expected_first, int n)
{
    size_t pixels = (size_t)m->h * (size_t)m->w;
    const float *a = m->data + (size_t)first * pixels * m->stride,
                *b = expected->data + (size_t)expected_first * pixels * expected->stride;
    for (size_t p = 0; p < (size_t)n * pixels; p++)
        if (memcmp(a + p * m->stride, b + p * expected->stride, sizeof(float) * (size_t)m->c))
            return 0;
    return 1;
}

float *floats_create(size_t n, float low, float high, unsigned seed)
{
    float *x = dd_memory(n ? n : 1, sizeof(float));
    uint32_t state = seed * 104729u + 7;
    if (!x)
        abort();
    for (size_t i = 0; i < n; i++)
        x[i] = low + (high - low) * 0.5f * (uniform(&state) + 1);
    return x;
}

enum { WATCHED = 64 };

float *scratch_create(size_t bytes)
{
    unsigned char *s = dd_memory(bytes + WATCHED, 1);
    if (!s)
        abort();
    memset(s, 0xff, bytes + WATCHED);
    return (float *)(void *)s;
}

int scratch_whole(const float *scratch, size_t bytes)
{
    for (size_t i = 0; i < WATCHED; i++)
        if (((const unsigned char *)scratch)[bytes + i] != 0xff)
            return 0;
    return 1;
}

int instruction_sets(unsigned *masks)
{
    unsigned all = dd_cpu_detect();
    int n = 0;
    if (getenv(CPU_VARIABLE))
        return dd_cpu_ceiling(masks, getenv(CPU_VARIABLE), NULL) ? 0 : 1;
    masks[n++] = 0;
    if (all & DD_CPU_AVX2)
        masks[n++] = DD_CPU_AVX2;
    if (all & DD_CPU_AVX512)
        masks[n++] = DD_CPU_AVX2 | DD_CPU_AVX512;
    if (all & DD_CPU_NEON)
        masks[n++] = DD_CPU_NEON;
    return n;
}

double act_exact(enum dd_act act, double x)
{
    switch (act) {
    case DD_ACT_SILU: return x / (1 + exp(-x));
    case DD_ACT_GELU: return 0.5 * x * (1 + erf(x / sqrt(2)));
    case DD_ACT_RELU: return x > 0 ? x : 0;
    case DD_ACT_MISH: return x * tanh(log1p(exp(x)));
    default: return x;
    }
}

double sum_bound(size_t n)
{
    return 7 * sqrt((double)n) * ldexp(1, -24);
}
