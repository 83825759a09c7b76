/* The transforms of Winograd's convolutions in double, part of kernels_ref.c.  The matrices are those of
   winograd_vec.h and winograd_gradient_vec.h. */

/* A matrix of a transform, in rows of 8. */
struct transform {
    const double (*row)[8];
    int rows, columns;
};

/* Fills y [a.rows, b.rows] = A x B^T for x [a.columns, b.columns].  A factor 0 skips its element of x, which
   may be infinite. */
static void sandwich(double *y, struct transform a, const double *x, struct transform b)
{
    for (int i = 0; i < a.rows; i++)
        for (int j = 0; j < b.rows; j++, y++) {
            *y = 0;
            for (int k = 0; k < a.columns * b.columns; k++) {
                double left = a.row[i][k / b.columns], right = b.row[j][k % b.columns];
                /* 0 times infinity would be NaN, which the vector kernels never make here. */
                if (left != 0 && right != 0)
                    *y += left * x[k] * right;
            }
        }
}

/* Returns B^T for a side with n outputs.  points is the number of points of the largest tile: 8, 6 or 4. */
static struct transform input_matrix(int n, int points)
{
    static const double six[8][8] = {
        { 1, 0, -5.25, 0, 5.25, 0, -1, 0 },      { 0, 1, 1, -4.25, -4.25, 1, 1, 0 },
        { 0, -1, 1, 4.25, -4.25, -1, 1, 0 },     { 0, 0.5, 0.25, -2.5, -1.25, 2, 1, 0 },
        { 0, -0.5, 0.25, 2.5, -1.25, -2, 1, 0 }, { 0, 2, 4, -2.5, -5, 0.5, 1, 0 },
        { 0, -2, 4, 2.5, -5, -0.5, 1, 0 },       { 0, -1, 0, 5.25, 0, -5.25, 0, 1 }
    };
    static const double four_of_six[6][8] = {
        { 1, 0, -1.25, 0, 0.25, 0 },      { 0, -3, -3, 0.75, 0.75, 0 },     { 0, 3, -3, -0.75, 0.75, 0 },
        { 0, -7.5, -3.75, 7.5, 3.75, 0 }, { 0, 7.5, -3.75, -7.5, 3.75, 0 }, { 0, 4, 0, -5, 0, 1 }
    };
    static const double four[6][8] = {
        { 4, 0, -5, 0, 1, 0 },  { 0, -4, -4, 1, 1, 0 }, { 0, 4, -4, -1, 1, 0 },
        { 0, -2, -1, 2, 1, 0 }, { 0, 2, -1, -2, 1, 0 }, { 0, 4, 0, -5, 0, 1 }
    };
    static const double two[4][8] = { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } };

    if (n == 6)
        return (struct transform){ six, 8, 8 };
    if (n == 2)
        return (struct transform){ two, 4, 4 };
    return (struct transform){ points == 8 ? four_of_six : four, 6, 6 };
}

/* Returns A^T for a side with n outputs. */
static struct transform output_matrix(int n)
{
    static const double six[6][8] = { { 1, 1, 1, 1, 1, 1, 1, 0 },
                                      { 0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0 },
                                      { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 },
                                      { 0, 1, -1, 8, -8, 1. / 8, -1. / 8, 0 },
                                      { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 },
                                      { 0, 1, -1, 32, -32, 1. / 32, -1. / 32, 1 } };
    static const double four[4][8] = {
        { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 }
    };
    static const double two[2][8] = { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } };

    if (n == 6)
        return (struct transform){ six, 6, 8 };
    return (struct transform){ n == 4 ? four : two, n, n + 2 };
}

/* Returns the index of product k of a tile of `rows` x `columns` outputs among the products of the largest
   tile. */
static size_t place_of(int k, int rows, int columns, int points)
{
    int i = k / (columns + 2), j = k % (columns + 2);
    return (size_t)(points * (i == rows + 1 ? points - 1 : i) + (j == columns + 1 ? points - 1 : j));
}

static void transform_input(struct dd_out v, const float *const *x, size_t channels, int rows, int columns,
                            int points)
{
    int high = rows + 2, wide = columns + 2;

    for (size_t c = 0; c < channels; c++) {
        double d[64], u[64];
        for (int k = 0; k < high * wide; k++)
            d[k] = x[k][c];

        sandwich(u, input_matrix(rows, points), d, input_matrix(columns, points));
        for (int k = 0; k < high * wide; k++)
            v.at[place_of(k, rows, columns, points) * v.stride + c] = (float)u[k];
    }
}

static void transform_output(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                             size_t channels, int rows, int columns, int points)
{
    int high = rows + 2, wide = columns + 2;

    for (size_t c = 0; c < channels; c++) {
        double d[64], o[36];
        for (int k = 0; k < high * wide; k++)
            d[k] = m.at[place_of(k, rows, columns, points) * m.stride + c];

        sandwich(o, output_matrix(rows), d, output_matrix(columns));

        for (int k = 0; k < rows * columns; k++) {
            if (!y[k])
                continue;
            double bias = post->bias ? post->bias[c] : 0,
                   residual = post->residual ? post->residual[k][c] : 0;
            y[k][c] = (float)((o[k] + bias + residual) * post->scale);
        }
    }
}

static void winograd_input_ref(struct dd_out v, const float *const *x, size_t channels)
{
    transform_input(v, x, channels, 4, 4, 6);
}

static void winograd6_input_ref(struct dd_out v, const float *const *x, size_t channels, int rows,
                                int columns)
{
    transform_input(v, x, channels, rows, columns, 8);
}

static void winograd2_input_ref(struct dd_out v, const float *const *x, size_t channels)
{
    transform_input(v, x, channels, 2, 2, 4);
}

static void winograd_output_ref(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                size_t channels)
{
    transform_output(y, m, post, channels, 4, 4, 6);
}

static void winograd6_output_ref(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                 size_t channels, int rows, int columns)
{
    transform_output(y, m, post, channels, rows, columns, 8);
}

static void winograd2_output_ref(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                 size_t channels)
{
    transform_output(y, m, post, channels, 2, 2, 4);
}

/* Fills y[0..7 step ys] = G x[0..2 step xs] of F(6x6, 3x3). */
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

/* The same for F(4x4, 3x3): y[0..5]. */
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

/* The same for F(2x2, 3x3): y[0..3]. */
static void weights_four_ref(double *y, int ys, const double *x, int xs)
{
    double even = x[0] + x[2 * xs], odd = x[xs];
    y[0] = x[0];
    y[ys] = (even + odd) / 2;
    y[2 * ys] = (even - odd) / 2;
    y[3 * ys] = x[2 * xs];
}

typedef void transform_line(double *y, int ys, const double *x, int xs);

/* Fills u with G g G^T, of `side` points, for count * NR filters. */
static void transform_weights(struct dd_out u, const float *w, size_t count, int side)
{
    transform_line *line = weights_four_ref;
    if (side == 8)
        line = weights_eight_ref;
    else if (side == 6)
        line = weights_six_ref;

    for (size_t i = 0; i < count * NR; i++) {
        double x[9], half[24], y[64];
        for (int k = 0; k < 9; k++)
            x[k] = w[(i / NR * 9 + (size_t)k) * NR + i % NR];

        for (int k = 0; k < 3; k++)
            line(half + k, 3, x + k, 3);
        for (int k = 0; k < side; k++)
            line(y + side * k, 1, half + 3 * k, 1);

        for (int k = 0; k < side * side; k++)
            u.at[(size_t)k * u.stride + i] = (float)y[k];
    }
}

static void winograd_weights_ref(struct dd_out u, const float *w, size_t count)
{
    transform_weights(u, w, count, 6);
}

static void winograd6_weights_ref(struct dd_out u, const float *w, size_t count)
{
    transform_weights(u, w, count, 8);
}

static void winograd2_weights_ref(struct dd_out u, const float *w, size_t count)
{
    transform_weights(u, w, count, 4);
}

static void winograd_output_adjoint_ref(struct dd_out v, const float *const *x, size_t channels)
{
    static const double a[6][4] = { { 1, 0, 0, 0 }, { 1, 1, 1, 1 },   { 1, -1, 1, -1 },
                                    { 1, 2, 4, 8 }, { 1, -2, 4, -8 }, { 0, 0, 0, 1 } };
    for (size_t c = 0; c < channels; c++)
        for (size_t k = 0; k < 36; k++) {
            double sum = 0;
            for (int i = 0; i < 16; i++)
                if (a[k / 6][i / 4] != 0 && a[k % 6][i % 4] != 0)
                    sum += a[k / 6][i / 4] * a[k % 6][i % 4] * x[i][c];
            v.at[k * v.stride + c] = (float)sum;
        }
}

static void winograd_weights_adjoint_ref(struct dd_out y, struct dd_in u, size_t channels)
{
    static const double gt[3][8] = { { 1. / 4, -1. / 6, -1. / 6, 1. / 24, 1. / 24, 0 },
                                     { 0, -1. / 6, 1. / 6, 1. / 12, -1. / 12, 0 },
                                     { 0, -1. / 6, -1. / 6, 1. / 6, 1. / 6, 1 } };
    const struct transform g = { gt, 3, 6 };

    for (size_t c = 0; c < channels; c++) {
        double d[36], o[9];
        for (int k = 0; k < 36; k++)
            d[k] = u.at[(size_t)k * u.stride + c];
        sandwich(o, g, d, g);
        for (size_t k = 0; k < 9; k++)
            y.at[k * y.stride + c] = (float)o[k];
    }
}
