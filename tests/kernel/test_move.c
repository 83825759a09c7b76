/* upsample, avgpool, unshuffle and transpose: the bits of their definitions, element by element. */
#include "tests/kernel/fence.h"

enum { SHAPES = 5 };
static const size_t shapes[SHAPES][2] = { { 1, 1 }, { 1, 3 }, { 2, 2 }, { 3, 5 }, { 4, 3 } };

void check_upsample(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t c = 0; c <= 70; c++) {
        size_t h = shapes[c % SHAPES][0], w = shapes[c % SHAPES][1];
        struct plane x = plane(0, h * w, c, c + c % 4, SPECIAL), y = plane(1, 4 * h * w, c, c + c % 3, ORDINARY), want = plane_copy(2, &y);
        for (size_t p = 0; p < 4 * h * w; p++)
            memcpy(plane_at(&want, p, 0), plane_at(&x, p / (2 * w) / 2 * w + p % (2 * w) / 2, 0), c * sizeof(float));
        k->upsample(y.at, y.stride, x.at, x.stride, h, w, c);
        plane_check(&y, "upsample");
        same(k, "upsample", &y, &want);
    }
}

/* Three additions of at most sum|x| each, at most two of them for one x: 2 u sum|x| / 4, and the last u; the reference u. */
void check_avgpool(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++) {
        size_t h = shapes[c % SHAPES][0], w = shapes[c % SHAPES][1], n = (h / 2) * (w / 2);
        struct plane x = plane(0, h * w, c, c + c % 4, c % 2 ? SPECIAL : ORDINARY), y = plane(1, n, c, c + c % 3, ORDINARY), want = plane_copy(2, &y);
        k->avgpool(y.at, y.stride, x.at, x.stride, h, w, c);
        ref->avgpool(want.at, want.stride, x.at, x.stride, h, w, c);
        plane_check(&y, "avgpool");
        for (size_t p = 0; p < n; p++)
            for (size_t i = 0; i < c; i++) {
                const float *q = plane_at(&x, p / (w / 2) * 2 * w + p % (w / 2) * 2, i);
                double size = fabs(q[0]) + fabs(q[x.stride]) + fabs(q[w * x.stride]) + fabs(q[(w + 1) * x.stride]);
                near(k, "avgpool", p, i, *plane_at(&y, p, i), *plane_at(&want, p, i), U * size);
            }
    }
}

void check_unshuffle(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t c = 0; c <= 70; c++) {
        size_t h = 2 * shapes[c % SHAPES][0], w = 2 * shapes[c % SHAPES][1], n = h * w / 4;
        struct plane x = plane(0, h * w, c, c + c % 4, SPECIAL), y = plane(1, n, 4 * c, 4 * c + c % 3, ORDINARY), want = plane_copy(2, &y);
        for (size_t i = 0; i < h; i++)
            for (size_t j = 0; j < w; j++)
                for (size_t ch = 0; ch < c; ch++)
                    *plane_at(&want, i / 2 * (w / 2) + j / 2, ch * 4 + i % 2 * 2 + j % 2) = *plane_at(&x, i * w + j, ch);
        k->unshuffle(y.at, y.stride, x.at, x.stride, h, w, c);
        plane_check(&y, "unshuffle");
        same(k, "unshuffle", &y, &want);
    }
}

void check_transpose(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    (void)ref;
    for (size_t rows = 0; rows <= 40; rows++)
        for (size_t columns = 0; columns <= 40; columns++) {
            struct plane x = plane(0, rows, columns, columns + rows % 4, SPECIAL), y = plane(1, columns, rows, rows + columns % 3, ORDINARY);
            struct plane want = plane_copy(2, &y);
            for (size_t i = 0; i < rows; i++)
                for (size_t j = 0; j < columns; j++)
                    *plane_at(&want, j, i) = *plane_at(&x, i, j);
            k->transpose(y.at, y.stride, x.at, x.stride, rows, columns);
            plane_check(&y, "transpose");
            same(k, "transpose", &y, &want);
        }
}
