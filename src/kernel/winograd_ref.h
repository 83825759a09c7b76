/* The transforms of Winograd's convolutions in double, part of kernels_ref.c; the matrices are those of winograd_vec.h and winograd_gradient_vec.h. */

/* y [ny, ny] = M x M^T, M [ny, nx] in rows of 8, x [nx, nx]; where M is 0 an infinity in x does not count. */
static void sandwich(double *y, const double (*m)[8], const double *x, int ny, int nx)
{
    for (int i = 0; i < ny; i++)
        for (int j = 0; j < ny; j++) {
            y[i * ny + j] = 0;
            for (int k = 0; k < nx * nx; k++)
                if (m[i][k / nx] != 0 && m[j][k % nx] != 0)
                    y[i * ny + j] += m[i][k / nx] * x[k] * m[j][k % nx];
        }
}

static void transform_input(float *v, size_t plane, const float *const *x, size_t channels, int tile)
{
    static const double bt6[8][8] = { { 1, 0, -5.25, 0, 5.25, 0, -1, 0 }, { 0, 1, 1, -4.25, -4.25, 1, 1, 0 }, { 0, -1, 1, 4.25, -4.25, -1, 1, 0 },
                                      { 0, 0.5, 0.25, -2.5, -1.25, 2, 1, 0 }, { 0, -0.5, 0.25, 2.5, -1.25, -2, 1, 0 }, { 0, 2, 4, -2.5, -5, 0.5, 1, 0 },
                                      { 0, -2, 4, 2.5, -5, -0.5, 1, 0 }, { 0, -1, 0, 5.25, 0, -5.25, 0, 1 } };
    static const double bt4[6][8] = { { 4, 0, -5, 0, 1, 0 }, { 0, -4, -4, 1, 1, 0 }, { 0, 4, -4, -1, 1, 0 },
                                      { 0, -2, -1, 2, 1, 0 }, { 0, 2, -1, -2, 1, 0 }, { 0, 4, 0, -5, 0, 1 } };
    static const double bt2[4][8] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };
    int side = tile + 2;
    for (size_t c = 0; c < channels; c++) {
        double d[64], u[64];
        for (int k = 0; k < side * side; k++)
            d[k] = x[k][c];
        sandwich(u, tile == 6 ? bt6 : tile == 4 ? bt4 : bt2, d, side, side);
        for (int k = 0; k < side * side; k++)
            v[(size_t)k * plane + c] = (float)u[k];
    }
}

static void transform_output(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                             float scale, size_t channels, int tile)
{
    static const double at6[6][8] = { { 1, 1, 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0 }, { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 },
                                      { 0, 1, -1, 8, -8, 1. / 8, -1. / 8, 0 }, { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 },
                                      { 0, 1, -1, 32, -32, 1. / 32, -1. / 32, 1 } };
    static const double at4[4][8] = { { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 } };
    static const double at2[2][8] = { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } };
    int side = tile + 2;
    for (size_t c = 0; c < channels; c++) {
        double d[64], o[36];
        for (int k = 0; k < side * side; k++)
            d[k] = m[(size_t)k * plane + c];
        sandwich(o, tile == 6 ? at6 : tile == 4 ? at4 : at2, d, tile, side);
        for (int k = 0; k < tile * tile; k++)
            if (y[k])
                y[k][c] = (float)((o[k] + (bias ? bias[c] : 0) + (residual ? residual[k][c] : 0)) * scale);
    }
}

static void winograd_input_ref(float *v, size_t plane, const float *const *x, size_t channels)
{
    transform_input(v, plane, x, channels, 4);
}

static void winograd6_input_ref(float *v, size_t plane, const float *const *x, size_t channels)
{
    transform_input(v, plane, x, channels, 6);
}

static void winograd2_input_ref(float *v, size_t plane, const float *const *x, size_t channels)
{
    transform_input(v, plane, x, channels, 2);
}

static void winograd_output_ref(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                                float scale, size_t channels)
{
    transform_output(y, m, plane, bias, residual, scale, channels, 4);
}

static void winograd6_output_ref(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                                 float scale, size_t channels)
{
    transform_output(y, m, plane, bias, residual, scale, channels, 6);
}

static void winograd2_output_ref(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                                 float scale, size_t channels)
{
    transform_output(y, m, plane, bias, residual, scale, channels, 2);
}

/* y[0..7 step ys] = G x[0..2 step xs] of F(6x6, 3x3). */
static void weights_eight_ref(double *y, int ys, const double *x, int xs)
{
    double rising = x[0] + 4 * x[2 * xs], falling = 4 * x[0] + x[2 * xs], odd = x[xs];
    y[0] = x[0];
    y[ys] = -2 * (x[0] + x[2 * xs] + odd) / 9;
    y[2 * ys] = -2 * (x[0] + x[2 * xs] - odd) / 9;
    y[3 * ys] = (rising + 2 * odd) / 90;
    y[4 * ys] = (rising - 2 * odd) / 90;
    y[5 * ys] = 8 * (falling + 2 * odd) / 45;
    y[6 * ys] = 8 * (falling - 2 * odd) / 45;
    y[7 * ys] = x[2 * xs];
}

/* The same of F(4x4, 3x3): y[0..5]. */
static void weights_six_ref(double *y, int ys, const double *x, int xs)
{
    double even = x[0] + x[2 * xs], odd = x[xs], low = x[0] / 24 + x[2 * xs] / 6, middle = odd / 12;
    y[0] = x[0] / 4;
    y[ys] = -(even + odd) / 6;
    y[2 * ys] = -(even - odd) / 6;
    y[3 * ys] = low + middle;
    y[4 * ys] = low - middle;
    y[5 * ys] = x[2 * xs];
}

/* The same of F(2x2, 3x3): y[0..3]. */
static void weights_four_ref(double *y, int ys, const double *x, int xs)
{
    double even = x[0] + x[2 * xs], odd = x[xs];
    y[0] = x[0];
    y[ys] = (even + odd) / 2;
    y[2 * ys] = (even - odd) / 2;
    y[3 * ys] = x[2 * xs];
}

static void transform_weights(float *u, size_t plane, const float *w, size_t count, int side)
{
    for (size_t i = 0; i < count * NR; i++) {
        double x[9], half[24], y[64];
        for (int k = 0; k < 9; k++)
            x[k] = w[(i / NR * 9 + (size_t)k) * NR + i % NR];
        for (int k = 0; k < 3; k++)
            (side == 8 ? weights_eight_ref : side == 6 ? weights_six_ref : weights_four_ref)(half + k, 3, x + k, 3);
        for (int k = 0; k < side; k++)
            (side == 8 ? weights_eight_ref : side == 6 ? weights_six_ref : weights_four_ref)(y + side * k, 1, half + 3 * k, 1);
        for (int k = 0; k < side * side; k++)
            u[(size_t)k * plane + i] = (float)y[k];
    }
}

static void winograd_weights_ref(float *u, size_t plane, const float *w, size_t count)
{
    transform_weights(u, plane, w, count, 6);
}

static void winograd6_weights_ref(float *u, size_t plane, const float *w, size_t count)
{
    transform_weights(u, plane, w, count, 8);
}

static void winograd2_weights_ref(float *u, size_t plane, const float *w, size_t count)
{
    transform_weights(u, plane, w, count, 4);
}

static void winograd_output_adjoint_ref(float *v, size_t plane, const float *const *x, size_t channels)
{
    static const double a[6][4] = { { 1, 0, 0, 0 }, { 1, 1, 1, 1 }, { 1, -1, 1, -1 }, { 1, 2, 4, 8 }, { 1, -2, 4, -8 }, { 0, 0, 0, 1 } };
    for (size_t c = 0; c < channels; c++)
        for (size_t k = 0; k < 36; k++) {
            double sum = 0;
            for (int i = 0; i < 16; i++)
                if (a[k / 6][i / 4] != 0 && a[k % 6][i % 4] != 0)
                    sum += a[k / 6][i / 4] * a[k % 6][i % 4] * x[i][c];
            v[k * plane + c] = (float)sum;
        }
}

static void winograd_weights_adjoint_ref(float *y, size_t ys, const float *u, size_t plane, size_t channels)
{
    static const double gt[3][8] = { { 1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24, 0 }, { 0, -1. / 6, 1. / 6, 1. / 12, -1. / 12, 0 },
                                     { 0, -1. / 6, -1. / 6, 1. / 6, 1. / 6, 1 } };
    for (size_t c = 0; c < channels; c++) {
        double d[36], o[9];
        for (int k = 0; k < 36; k++)
            d[k] = u[(size_t)k * plane + c];
        sandwich(o, gt, d, 3, 6);
        for (size_t k = 0; k < 9; k++)
            y[k * ys + c] = (float)o[k];
    }
}
