/* upsample, unshuffle and transpose have the bits of their definitions, element by element; avgpool is
   compared with the reference. */
#include "tests/kernel/fence.h"

static const struct {
    size_t h, w;
} shapes[] = { { 1, 1 }, { 1, 3 }, { 2, 2 }, { 3, 5 }, { 4, 3 } };

enum { SHAPES = sizeof shapes / sizeof *shapes, CHANNELS = 70 };

void check_upsample(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t c = 0; c <= CHANNELS; c++) {
        size_t h = shapes[c % SHAPES].h, w = shapes[c % SHAPES].w;
        struct plane x = plane(0, h * w, c, c + c % 4, SPECIAL);
        struct plane y = plane(1, 4 * h * w, c, c + c % 3, ORDINARY), want = plane_copy(2, &y);
        for (size_t i = 0; i < 2 * h; i++)
            for (size_t j = 0; j < 2 * w; j++)
                memcpy(plane_at(&want, i * 2 * w + j, 0), plane_at(&x, i / 2 * w + j / 2, 0),
                       c * sizeof(float));
        k->upsample(plane_out(&y), plane_in(&x), h, w, c);
        plane_check(&y, "upsample");
        same(k, "upsample", &y, &want);
    }
}

/* In ((a + b) + (c + d)) / 4 each term is in two rounded partial sums: 2 u / 4 of sum |x|. The reference
   has u / 4. */
void check_avgpool(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= CHANNELS; c++) {
        size_t h = shapes[c % SHAPES].h, w = shapes[c % SHAPES].w, n = (h / 2) * (w / 2);
        struct plane x = plane(0, h * w, c, c + c % 4, c % 2 ? SPECIAL : ORDINARY);
        struct plane y = plane(1, n, c, c + c % 3, ORDINARY), want = plane_copy(2, &y);
        k->avgpool(plane_out(&y), plane_in(&x), h, w, c);
        ref->avgpool(plane_out(&want), plane_in(&x), h, w, c);
        plane_check(&y, "avgpool");
        for (size_t p = 0; p < n; p++)
            for (size_t i = 0; i < c; i++) {
                const float *q = plane_at(&x, p / (w / 2) * 2 * w + p % (w / 2) * 2, i);
                double size =
                    fabs(q[0]) + fabs(q[x.stride]) + fabs(q[w * x.stride]) + fabs(q[(w + 1) * x.stride]);
                near(k, "avgpool", &y, p, i, *plane_at(&want, p, i), 0.75 * U * size);
            }
    }
}

void check_unshuffle(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t c = 0; c <= CHANNELS; c++) {
        size_t h = 2 * shapes[c % SHAPES].h, w = 2 * shapes[c % SHAPES].w;
        struct plane x = plane(0, h * w, c, c + c % 4, SPECIAL);
        struct plane y = plane(1, h * w / 4, 4 * c, 4 * c + c % 3, ORDINARY), want = plane_copy(2, &y);
        for (size_t i = 0; i < h; i++)
            for (size_t j = 0; j < w; j++)
                for (size_t ch = 0; ch < c; ch++)
                    *plane_at(&want, i / 2 * (w / 2) + j / 2, ch * 4 + i % 2 * 2 + j % 2) =
                        *plane_at(&x, i * w + j, ch);
        k->unshuffle(plane_out(&y), plane_in(&x), h, w, c);
        plane_check(&y, "unshuffle");
        same(k, "unshuffle", &y, &want);
    }
}

void check_transpose(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t rows = 0; rows <= 40; rows++)
        for (size_t columns = 0; columns <= 40; columns++) {
            struct plane x = plane(0, rows, columns, columns + rows % 4, SPECIAL);
            struct plane y = plane(1, columns, rows, rows + columns % 3, ORDINARY), want = plane_copy(2, &y);
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++)
                    *plane_at(&want, j, i) = *plane_at(&x, i, j);
            k->transpose(plane_out(&y), plane_in(&x), rows, columns);
            plane_check(&y, "transpose");
            same(k, "transpose", &y, &want);
        }
}
