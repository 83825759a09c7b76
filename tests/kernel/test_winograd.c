/* The transforms of Winograd's convolution against the reference. tests/property shows that together
   they make a convolution. */
#include "tests/kernel/fence.h"

/* One side of a tile: its outputs, its points (as many as its inputs), the points along a side of all
   planes that there are, which of these are its own, |B^T| and |A^T|. */
struct side {
    int outputs, points, all, point[8];
    double bt[8][8], at[6][8];
};

/* The sides of F(6x6, 3x3), of F(4x4, 3x3) with the weights of F(6x6, 3x3), of F(4x4, 3x3) and of F(2x2,
   3x3). */
static const struct side six = { 6,
                                 8,
                                 8,
                                 { 0, 1, 2, 3, 4, 5, 6, 7 },
                                 { { 1, 0, 5.25, 0, 5.25, 0, 1, 0 },
                                   { 0, 1, 1, 4.25, 4.25, 1, 1, 0 },
                                   { 0, 1, 1, 4.25, 4.25, 1, 1, 0 },
                                   { 0, 0.5, 0.25, 2.5, 1.25, 2, 1, 0 },
                                   { 0, 0.5, 0.25, 2.5, 1.25, 2, 1, 0 },
                                   { 0, 2, 4, 2.5, 5, 0.5, 1, 0 },
                                   { 0, 2, 4, 2.5, 5, 0.5, 1, 0 },
                                   { 0, 1, 0, 5.25, 0, 5.25, 0, 1 } },
                                 { { 1, 1, 1, 1, 1, 1, 1, 0 },
                                   { 0, 1, 1, 2, 2, 1. / 2, 1. / 2, 0 },
                                   { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 },
                                   { 0, 1, 1, 8, 8, 1. / 8, 1. / 8, 0 },
                                   { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 },
                                   { 0, 1, 1, 32, 32, 1. / 32, 1. / 32, 1 } } };
static const struct side four_of_six = {
    4,
    6,
    8,
    { 0, 1, 2, 3, 4, 7 },
    { { 1, 0, 1.25, 0, 0.25, 0 },
      { 0, 3, 3, 0.75, 0.75, 0 },
      { 0, 3, 3, 0.75, 0.75, 0 },
      { 0, 7.5, 3.75, 7.5, 3.75, 0 },
      { 0, 7.5, 3.75, 7.5, 3.75, 0 },
      { 0, 4, 0, 5, 0, 1 } },
    { { 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, 1, 8, 8, 1 } }
};
static const struct side four = {
    4,
    6,
    6,
    { 0, 1, 2, 3, 4, 5 },
    { { 4, 0, 5, 0, 1, 0 },
      { 0, 4, 4, 1, 1, 0 },
      { 0, 4, 4, 1, 1, 0 },
      { 0, 2, 1, 2, 1, 0 },
      { 0, 2, 1, 2, 1, 0 },
      { 0, 4, 0, 5, 0, 1 } },
    { { 1, 1, 1, 1, 1, 0 }, { 0, 1, 1, 2, 2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, 1, 8, 8, 1 } }
};
static const struct side two = { 2,
                                 4,
                                 4,
                                 { 0, 1, 2, 3 },
                                 { { 1, 0, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 1, 0 }, { 0, 1, 0, 1 } },
                                 { { 1, 1, 1, 0 }, { 0, 1, 1, 1 } } };

/* For each of the all x all planes, sets which of the tile's products it holds; -1: none of them. */
static void products_of(int *product, const struct side *rows, const struct side *columns)
{
    int all = rows->all;
    for (int i = 0; i < all * all; i++)
        product[i] = -1;
    for (int k = 0; k < rows->points * columns->points; k++)
        product[all * rows->point[k / columns->points] + columns->point[k % columns->points]] = k;
}

/* Returns |r| |x| |c|^T, where r [nr] and c [nc] are rows of the two sides' matrices and x is [nr *
   nc][channel]. */
static double size_of(const double *r, int nr, const double *c, int nc, const float *const *x, size_t channel)
{
    double sum = 0;
    for (int i = 0; i < nr * nc; i++)
        if (r[i / nc] != 0 && c[i % nc] != 0)
            sum += r[i / nc] * c[i % nc] * fabs(x[i][channel]);
    return sum;
}

static void run_input(const struct dd_kernels *k, const struct side *rows, const struct side *columns,
                      const struct plane *v, const float *const *x)
{
    switch (rows->all) {
    case 8: k->winograd6_input(plane_out(v), x, v->channels, rows->outputs, columns->outputs); break;
    case 6: k->winograd_input(plane_out(v), x, v->channels); break;
    default: k->winograd2_input(plane_out(v), x, v->channels); break;
    }
}

static void input_case(const struct dd_kernels *k, const struct dd_kernels *ref, const char *name,
                       const struct side *rows, const struct side *columns, double ulps, size_t c)
{
    int nr = rows->points, nc = columns->points, product[64];
    size_t n = (size_t)(nr * nc), planes = (size_t)(rows->all * rows->all);
    struct plane x = plane(0, n, c, c + c % 4, ORDINARY), v = plane(1, planes, c, c + c % 3, ORDINARY);
    struct plane want = plane_copy(2, &v), before = plane_copy(3, &v);
    const float *pixel[64];

    for (size_t i = 0; i < n; i++)
        pixel[i] = plane_at(&x, i, 0);
    /* A number that is not finite must spread as it does in the reference. */
    if (c > 0)
        *plane_at(&x, c % n, c / 2) = c % 2 ? NAN : INFINITY;

    run_input(k, rows, columns, &v, pixel);
    run_input(ref, rows, columns, &want, pixel);
    plane_check(&v, name);

    products_of(product, rows, columns);

    for (size_t i = 0; i < planes; i++)
        for (size_t j = 0; j < c; j++)
            /* Planes of other tiles stay as they were. */
            if (product[i] < 0) {
                near(k, name, &v, i, j, *plane_at(&before, i, j), 0);
                near(ref, name, &want, i, j, *plane_at(&before, i, j), 0);
            } else {
                double size =
                    size_of(rows->bt[product[i] / nc], nr, columns->bt[product[i] % nc], nc, pixel, j);
                near(k, name, &v, i, j, *plane_at(&want, i, j), ulps * U * size);
            }
}

/* Along rows and along columns each input is rounded at most twice, by an fma and a sum; doubling is
   exact. That makes 4 u of the sum of sizes and second order below 0.1 u. The reference rounds once
   more. */
void check_winograd_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        input_case(k, ref, "winograd_input", &four, &four, 5.1, c);
}

/* Three roundings along rows and three along columns make 6 u, with second order below 0.1 u. The
   reference rounds once more. */
void check_winograd6_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        for (int i = 0; i < 4; i++)
            input_case(k, ref, "winograd6_input", i & 1 ? &four_of_six : &six, i & 2 ? &four_of_six : &six,
                       7.1, c);
}

/* There is one rounding along rows and one along columns. */
void check_winograd2_input(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        input_case(k, ref, "winograd2_input", &two, &two, 3.1, c);
}

static void run_output(const struct dd_kernels *k, const struct side *rows, const struct side *columns,
                       float *const *y, const struct plane *m, const struct dd_winograd_post *post)
{
    switch (rows->all) {
    case 8: k->winograd6_output(y, plane_in(m), post, m->channels, rows->outputs, columns->outputs); break;
    case 6: k->winograd_output(y, plane_in(m), post, m->channels); break;
    default: k->winograd2_output(y, plane_in(m), post, m->channels); break;
    }
}

/* Runs one case. Planes that are not the tile's hold NaN. */
static void output_case(const struct dd_kernels *k, const struct dd_kernels *ref, const char *name,
                        const struct side *rows, const struct side *columns, double ulps, size_t c)
{
    float scale = c % 2 ? 0.7f : 1;
    int high = rows->outputs, wide = columns->outputs, nr = rows->points, nc = columns->points, product[64];
    size_t pixels = (size_t)(high * wide), planes = (size_t)(rows->all * rows->all);
    struct plane m = plane(0, planes, c, c + c % 4, ORDINARY), y = plane(1, pixels, c, c + c % 3, ORDINARY);
    struct plane want = plane_copy(2, &y), r = plane(3, pixels, c, c, ORDINARY),
                 b = plane(4, 1, c, c, ORDINARY);
    float *got[36], *wanted[36];
    const float *term[64], *residual[36],
        *bias = c % 3 ? b.at : NULL, *const *residuals = c % 4 ? residual : NULL;

    products_of(product, rows, columns);
    for (size_t i = 0; i < planes; i++)
        if (product[i] >= 0)
            term[product[i]] = plane_at(&m, i, 0);
        else
            for (size_t j = 0; j < c; j++)
                *plane_at(&m, i, j) = NAN;

    for (size_t i = 0; i < pixels; i++) {
        /* Tiles at the border have outputs beyond the image, which are NULL. */
        int inside = (int)i / wide < 1 + (int)c % high && (int)i % wide < 1 + (int)c / high % wide;
        got[i] = inside ? plane_at(&y, i, 0) : NULL;
        wanted[i] = inside ? plane_at(&want, i, 0) : NULL;
        residual[i] = plane_at(&r, i, 0);
    }

    const struct dd_winograd_post post = { bias, residuals, scale };
    run_output(k, rows, columns, got, &m, &post);
    run_output(ref, rows, columns, wanted, &m, &post);
    plane_check(&y, name);

    for (size_t i = 0; i < pixels; i++)
        for (size_t j = 0; j < c; j++) {
            double size = size_of(rows->at[(int)i / wide], nr, columns->at[(int)i % wide], nc, term, j);
            size += (bias ? fabs(bias[j]) : 0) + (residuals ? fabs(residual[i][j]) : 0);
            near(k, name, &y, i, j, *plane_at(&want, i, j),
                 got[i] ? act_bound(DD_ACT_NONE, *plane_at(&want, i, j), ulps * U * size * scale) : 0);
        }
}

/* Three roundings along rows, three along columns, then bias, residual and scale make 9 u, with second
   order below 0.1 u. The reference rounds once more. */
void check_winograd_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        output_case(k, ref, "winograd_output", &four, &four, 10.1, c);
}

/* The roundings are those of the four. */
void check_winograd6_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        for (int i = 0; i < 4; i++)
            output_case(k, ref, "winograd6_output", i & 1 ? &four_of_six : &six, i & 2 ? &four_of_six : &six,
                        10.1, c);
}

/* There are two roundings along rows and two along columns, then bias, residual and scale. */
void check_winograd2_output(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    for (size_t c = 0; c <= 70; c++)
        output_case(k, ref, "winograd2_output", &two, &two, 8.1, c);
}

typedef void weights_kernel(struct dd_out u, const float *w, size_t count);

/* Compares the weights of `count` input channels with G g G^T in double. */
static void weights_near(const struct dd_kernels *k, const char *name, weights_kernel *kernel,
                         const double (*g)[3], size_t side, double ulps, size_t count)
{
    size_t nr = k->gemm_nr, planes = side * side;
    struct plane w = plane(0, 9 * count, nr, nr, ORDINARY),
                 u = plane(1, planes, count * nr, count * nr + count % 3, ORDINARY);
    kernel(plane_out(&u), w.at, count);
    plane_check(&u, name);
    for (size_t i = 0; i < planes; i++)
        for (size_t j = 0; j < count * nr; j++) {
            double exact = 0, size = 0;
            for (size_t t = 0; t < 9; t++) {
                double one = g[i / side][t / 3] * g[i % side][t % 3] * *plane_at(&w, j / nr * 9 + t, j % nr);
                exact += one;
                size += fabs(one);
            }
            near(k, name, &u, i, j, exact, ulps * U * size);
        }
}

static void weights_case(const struct dd_kernels *k, const struct dd_kernels *ref, const char *name,
                         weights_kernel *kernel, weights_kernel *reference, const double (*g)[3], size_t side,
                         double ulps)
{
    for (size_t count = 0; count < 8; count++) {
        weights_near(k, name, kernel, g, side, ulps, count);
        weights_near(ref, name, reference, g, side, 1.1, count);
    }
}

/* Along rows, and along columns, there are at most a rounded factor, a sum, a product and an fma: 8 u,
   with second order below 0.1 u. The reference computes in double and rounds once. */
void check_winograd_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[6][3] = { { 1. / 4, 0, 0 },
                                    { -1. / 6, -1. / 6, -1. / 6 },
                                    { -1. / 6, 1. / 6, -1. / 6 },
                                    { 1. / 24, 1. / 12, 1. / 6 },
                                    { 1. / 24, -1. / 12, 1. / 6 },
                                    { 0, 0, 1 } };
    weights_case(k, ref, "winograd_weights", k->winograd_weights, ref->winograd_weights, g, 6, 8.1);
}

/* The roundings are those of the four. */
void check_winograd6_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[8][3] = { { 1, 0, 0 },
                                    { -2. / 9, -2. / 9, -2. / 9 },
                                    { -2. / 9, 2. / 9, -2. / 9 },
                                    { 1. / 90, 1. / 45, 2. / 45 },
                                    { 1. / 90, -1. / 45, 2. / 45 },
                                    { 32. / 45, 16. / 45, 8. / 45 },
                                    { 32. / 45, -16. / 45, 8. / 45 },
                                    { 0, 0, 1 } };
    weights_case(k, ref, "winograd6_weights", k->winograd6_weights, ref->winograd6_weights, g, 8, 8.1);
}

/* There are a sum and an fma along rows, and the same along columns; the factors are exact. */
void check_winograd2_weights(const struct dd_kernels *k, const struct dd_kernels *ref)
{
    static const double g[4][3] = { { 1, 0, 0 }, { 0.5, 0.5, 0.5 }, { 0.5, -0.5, 0.5 }, { 0, 0, 1 } };
    weights_case(k, ref, "winograd2_weights", k->winograd2_weights, ref->winograd2_weights, g, 4, 4.1);
}
