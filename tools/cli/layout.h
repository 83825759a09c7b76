/* Converts arrays between [n, c, h, w], the layout of other programs, and [n, h, w, c], ours. */
#ifndef DDPM_LAYOUT_H
#define DDPM_LAYOUT_H
#include <stddef.h>

/* Sets out [n, h, w, c] = x [n, c, h, w]. */
static inline void layout_from_nchw(float *out, const float *x, size_t n, size_t c, size_t h, size_t w)
{
    for (size_t b = 0; b < n; b++)
        for (size_t p = 0; p < h * w; p++)
            for (size_t k = 0; k < c; k++)
                out[(b * h * w + p) * c + k] = x[(b * c + k) * h * w + p];
}

/* Sets out [n, c, h, w] = x [n, h, w, c].  This is the same exchange of axes, with h w channels and c
   pixels. */
static inline void layout_to_nchw(float *out, const float *x, size_t n, size_t c, size_t h, size_t w)
{
    layout_from_nchw(out, x, n, h * w, c, 1);
}
#endif
