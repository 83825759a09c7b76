/* The transforms of Winograd's convolutions F(6x6, 3x3), F(4x4, 3x3) and F(2x2, 3x3) (Lavin and Gray 2016):

     y = A^T [(G g G^T) * (B^T d B)] A

   F(6x6) has the points 0, 1, -1, 2, -2, 1/2, -1/2, infinity; F(4x4) the same without 1/2 and -1/2; F(2x2)
   has 0, 1, -1, infinity.  In this order:

     B^T = 1    0 -21/4     0  21/4     0 -1 0     A^T = 1 1  1  1   1    1     1 0
           0    1     1 -17/4 -17/4     1  1 0           0 1 -1  2  -2  1/2  -1/2 0
           0   -1     1  17/4 -17/4    -1  1 0           0 1  1  4   4  1/4   1/4 0
           0  1/2   1/4  -5/2  -5/4     2  1 0           0 1 -1  8  -8  1/8  -1/8 0
           0 -1/2   1/4   5/2  -5/4    -2  1 0           0 1  1 16  16 1/16  1/16 0
           0    2     4  -5/2    -5   1/2  1 0           0 1 -1 32 -32 1/32 -1/32 1
           0   -2     4   5/2    -5  -1/2  1 0
           0   -1     0  21/4     0 -21/4  0 1

     B^T = 4  0 -5  0 1 0     A^T = 1 1  1 1  1 0
           0 -4 -4  1 1 0           0 1 -1 2 -2 0
           0  4 -4 -1 1 0           0 1  1 4  4 0
           0 -2 -1  2 1 0           0 1 -1 8 -8 1
           0  2 -1 -2 1 0
           0  4  0 -5 0 1

     B^T = 1  0 -1  0         A^T = 1 1  1  0
           0  1  1  0               0 1 -1 -1
           0 -1  1  0
           0  1  0 -1

   and G:     1      0     0     1/4     0    0      1    0   0
           -2/9   -2/9  -2/9    -1/6  -1/6 -1/6    1/2  1/2 1/2
           -2/9    2/9  -2/9    -1/6   1/6 -1/6    1/2 -1/2 1/2
           1/90   1/45  2/45    1/24  1/12  1/6      0    0   1
           1/90  -1/45  2/45    1/24 -1/12  1/6
          32/45  16/45  8/45       0     0    1
          32/45 -16/45  8/45
              0      0     1
   Each transform is applied to columns, then to rows.

   A side of F(6x6) may have 4 outputs, because the points of F(4x4) are among its own.  U is that of F(6x6)
   then, so B^T takes over what the two G differ by:

     B^T = 1     0  -5/4    0   1/4 0
           0    -3    -3  3/4   3/4 0
           0     3    -3 -3/4   3/4 0
           0 -15/2 -15/4 15/2  15/4 0
           0  15/2 -15/4 -15/2 15/4 0
           0     4     0   -5     0 1 */

/* Replaces d[i * step], i < 8, by B^T d. */
INLINE void winograd_eight(vf *d, int step)
{
    vf d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step], d6 = d[6 * step];
    vf a = vf_mac(vf_set(-4.25f), d4, vf_add(d2, d6)), b = vf_mac(vf_set(-4.25f), d3, vf_add(d1, d5));
    vf c = vf_mac(vf_set(0.25f), d2, vf_mac(vf_set(-1.25f), d4, d6));
    vf e = vf_mac(vf_set(2), d5, vf_mac(vf_set(-2.5f), d3, vf_mul(vf_set(0.5f), d1)));
    vf f = vf_mac(vf_set(4), d2, vf_mac(vf_set(-5), d4, d6));
    vf g = vf_mac(vf_set(0.5f), d5, vf_mac(vf_set(-2.5f), d3, vf_mul(vf_set(2), d1)));

    d[0] = vf_mac(vf_set(5.25f), vf_sub(d4, d2), vf_sub(d[0], d6));
    d[step] = vf_add(a, b);
    d[2 * step] = vf_sub(a, b);
    d[3 * step] = vf_add(c, e);
    d[4 * step] = vf_sub(c, e);
    d[5 * step] = vf_add(f, g);
    d[6 * step] = vf_sub(f, g);
    d[7 * step] = vf_mac(vf_set(5.25f), vf_sub(d3, d5), vf_sub(d[7 * step], d1));
}

/* The same of F(4x4, 3x3), i < 6. */
INLINE void winograd_six(vf *d, int step)
{
    vf d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    vf a = vf_mac(vf_set(-4), d2, d4), b = vf_mac(vf_set(-4), d1, d3);
    vf c = vf_sub(d4, d2), e = vf_mul(vf_set(2), vf_sub(d3, d1));
    d[0] = vf_mac(vf_set(4), d0, vf_mac(vf_set(-5), d2, d4));
    d[step] = vf_add(a, b);
    d[2 * step] = vf_sub(a, b);
    d[3 * step] = vf_add(c, e);
    d[4 * step] = vf_sub(c, e);
    d[5 * step] = vf_mac(vf_set(4), d1, vf_mac(vf_set(-5), d3, d5));
}

/* The same of a side of F(6x6, 3x3) with 4 outputs. */
INLINE void winograd_six_of_eight(vf *d, int step)
{
    vf d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step];
    vf a = vf_mac(vf_set(-3), d2, vf_mul(vf_set(0.75f), d4));
    vf b = vf_mac(vf_set(-3), d1, vf_mul(vf_set(0.75f), d3));
    vf c = vf_mul(vf_set(3.75f), vf_sub(d4, d2)), e = vf_mul(vf_set(7.5f), vf_sub(d3, d1));
    d[0] = vf_mac(vf_set(0.25f), d4, vf_mac(vf_set(-1.25f), d2, d[0]));
    d[step] = vf_add(a, b);
    d[2 * step] = vf_sub(a, b);
    d[3 * step] = vf_add(c, e);
    d[4 * step] = vf_sub(c, e);
    d[5 * step] = vf_mac(vf_set(4), d1, vf_mac(vf_set(-5), d3, d[5 * step]));
}

/* The same of F(2x2, 3x3), i < 4. */
INLINE void winograd_quad(vf *d, int step)
{
    vf d1 = d[step], d2 = d[2 * step];
    d[0] = vf_sub(d[0], d2);
    d[step] = vf_add(d1, d2);
    d[2 * step] = vf_sub(d2, d1);
    d[3 * step] = vf_sub(d1, d[3 * step]);
}

/* Applies B^T of a side with n outputs.  points: those of the largest tile.  Both are constants. */
INLINE void winograd_input_line(vf *d, int step, const int n, const int points)
{
    if (n == 6)
        winograd_eight(d, step);
    else if (n == 2)
        winograd_quad(d, step);
    else if (points == 8)
        winograd_six_of_eight(d, step);
    else
        winograd_six(d, step);
}

/* Returns the place of point i of a side with n outputs among those of the largest tile. */
INLINE int winograd_point(int i, const int n, const int points)
{
    return i == n + 1 ? points - 1 : i;
}

/* Fills y[i * ys], i < 6, with A^T m, m[i * ms], i < 8. */
INLINE void winograd_output_six(vf *y, int ys, const vf *m, int ms)
{
    vf a = vf_add(m[ms], m[2 * ms]), b = vf_sub(m[ms], m[2 * ms]);
    vf c = vf_add(m[3 * ms], m[4 * ms]), d = vf_sub(m[3 * ms], m[4 * ms]);
    vf e = vf_add(m[5 * ms], m[6 * ms]), f = vf_sub(m[5 * ms], m[6 * ms]);

    y[0] = vf_add(vf_add(m[0], a), vf_add(c, e));
    y[ys] = vf_mac(vf_set(2), d, vf_mac(vf_set(0.5f), f, b));
    y[2 * ys] = vf_mac(vf_set(4), c, vf_mac(vf_set(0.25f), e, a));
    y[3 * ys] = vf_mac(vf_set(8), d, vf_mac(vf_set(0.125f), f, b));
    y[4 * ys] = vf_mac(vf_set(16), c, vf_mac(vf_set(0.0625f), e, a));
    y[5 * ys] = vf_add(vf_mac(vf_set(32), d, b), vf_mac(vf_set(0.03125f), f, m[7 * ms]));
}

/* The same of F(4x4, 3x3): i < 4 of y, i < 6 of m. */
INLINE void winograd_four(vf *y, int ys, const vf *m, int ms)
{
    vf a = vf_add(m[ms], m[2 * ms]), b = vf_sub(m[ms], m[2 * ms]);
    vf c = vf_add(m[3 * ms], m[4 * ms]), d = vf_sub(m[3 * ms], m[4 * ms]);
    y[0] = vf_add(vf_add(m[0], a), c);
    y[ys] = vf_mac(vf_set(2), d, b);
    y[2 * ys] = vf_mac(vf_set(4), c, a);
    y[3 * ys] = vf_add(vf_mac(vf_set(8), d, b), m[5 * ms]);
}

/* The same of F(2x2, 3x3): i < 2 of y, i < 4 of m. */
INLINE void winograd_pair(vf *y, int ys, const vf *m, int ms)
{
    y[0] = vf_add(vf_add(m[0], m[ms]), m[2 * ms]);
    y[ys] = vf_sub(vf_sub(m[ms], m[2 * ms]), m[3 * ms]);
}

/* Applies A^T of a side with `tile` outputs, a constant. */
INLINE void winograd_output_line(vf *y, int ys, const vf *m, int ms, const int tile)
{
    if (tile == 6)
        winograd_output_six(y, ys, m, ms);
    else if (tile == 4)
        winograd_four(y, ys, m, ms);
    else
        winograd_pair(y, ys, m, ms);
}

/* Transforms the columns of d, then its rows, which are stored among the points of the largest tile. */
INLINE void winograd_input_run(struct dd_out v, const float *const *x, size_t channels, const int rows,
                               const int columns, const int points)
{
    const int high = rows + 2, wide = columns + 2;
    EACH_VECTOR(c, channels, {
        vf d[64];
        /* The columns. */
        UNROLL
        for (int j = 0; j < wide; j++) {
            UNROLL
            for (int i = 0; i < high; i++)
                d[wide * i + j] = vf_take(x[wide * i + j] + c, lanes);
            winograd_input_line(d + j, wide, rows, points);
        }
        /* Then the rows, which go to their points. */
        UNROLL
        for (int i = 0; i < high; i++) {
            winograd_input_line(d + wide * i, 1, columns, points);
            float *to = v.at + (size_t)(points * winograd_point(i, rows, points)) * v.stride + c;
            UNROLL
            for (int j = 0; j < wide; j++)
                vf_put(to + (size_t)winograd_point(j, columns, points) * v.stride, d[wide * i + j], lanes);
        }
    });
}

static void K(winograd_input)(struct dd_out v, const float *const *x, size_t channels)
{
    winograd_input_run(v, x, channels, 4, 4, 6);
}

static void K(winograd6_input)(struct dd_out v, const float *const *x, size_t channels, int rows, int columns)
{
    if (rows == 6 && columns == 6)
        winograd_input_run(v, x, channels, 6, 6, 8);
    else if (rows == 6)
        winograd_input_run(v, x, channels, 6, 4, 8);
    else if (columns == 6)
        winograd_input_run(v, x, channels, 4, 6, 8);
    else
        winograd_input_run(v, x, channels, 4, 4, 8);
}

static void K(winograd2_input)(struct dd_out v, const float *const *x, size_t channels)
{
    winograd_input_run(v, x, channels, 2, 2, 4);
}

INLINE void winograd_output_run(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                size_t channels, const int rows, const int columns, const int points)
{
    const float *bias = post->bias, *const *residual = post->residual;
    const float scale = post->scale;
    const int high = rows + 2, wide = columns + 2;
    EACH_VECTOR(c, channels, {
        vf d[6 * 8];
        vf o[6];
        vf b = bias ? vf_take(bias + c, lanes) : vf_set(0);
        /* The columns. */
        UNROLL
        for (int j = 0; j < wide; j++) {
            vf column[8];
            UNROLL
            for (int i = 0; i < high; i++) {
                int point = points * winograd_point(i, rows, points) + winograd_point(j, columns, points);
                column[i] = vf_take(m.at + (size_t)point * m.stride + c, lanes);
            }
            winograd_output_line(d + j, wide, column, 1, rows);
        }
        /* Then the rows, which are pixels. */
        UNROLL
        for (int i = 0; i < rows; i++) {
            winograd_output_line(o, 1, d + wide * i, 1, columns);
            UNROLL
            for (int j = 0; j < columns; j++)
                if (y[columns * i + j]) {
                    vf sum = vf_add(o[j], b);
                    if (residual)
                        sum = vf_add(sum, vf_take(residual[columns * i + j] + c, lanes));
                    vf_put(y[columns * i + j] + c, vf_mul(sum, vf_set(scale)), lanes);
                }
        }
    });
}

static void K(winograd_output)(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                               size_t channels)
{
    winograd_output_run(y, m, post, channels, 4, 4, 6);
}

static void K(winograd6_output)(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                size_t channels, int rows, int columns)
{
    if (rows == 6 && columns == 6)
        winograd_output_run(y, m, post, channels, 6, 6, 8);
    else if (rows == 6)
        winograd_output_run(y, m, post, channels, 6, 4, 8);
    else if (columns == 6)
        winograd_output_run(y, m, post, channels, 4, 6, 8);
    else
        winograd_output_run(y, m, post, channels, 4, 4, 8);
}

static void K(winograd2_output)(float *const *y, struct dd_in m, const struct dd_winograd_post *post,
                                size_t channels)
{
    winograd_output_run(y, m, post, channels, 2, 2, 4);
}

/* Fills y[i * ys], i < 8, with G x, x[i * xs], i < 3, of F(6x6, 3x3). */
INLINE void winograd_weights_eight(vf *y, int ys, const vf *x, int xs)
{
    vf low = x[0], odd = x[xs], high = x[2 * xs];
    vf even = vf_mul(vf_set(-2.0f / 9), vf_add(low, high));
    vf rising = vf_mac(vf_set(2.0f / 45), high, vf_mul(vf_set(1.0f / 90), low));
    vf falling = vf_mac(vf_set(32.0f / 45), low, vf_mul(vf_set(8.0f / 45), high));
    y[0] = low;
    y[ys] = vf_mac(vf_set(-2.0f / 9), odd, even);
    y[2 * ys] = vf_mac(vf_set(2.0f / 9), odd, even);
    y[3 * ys] = vf_mac(vf_set(1.0f / 45), odd, rising);
    y[4 * ys] = vf_mac(vf_set(-1.0f / 45), odd, rising);
    y[5 * ys] = vf_mac(vf_set(16.0f / 45), odd, falling);
    y[6 * ys] = vf_mac(vf_set(-16.0f / 45), odd, falling);
    y[7 * ys] = high;
}

/* The same of F(4x4, 3x3): y[0..5]. */
INLINE void winograd_weights_six(vf *y, int ys, const vf *x, int xs)
{
    vf low = x[0], odd = x[xs], high = x[2 * xs];
    vf even = vf_mul(vf_set(-1.0f / 6), vf_add(low, high));
    vf rising = vf_mac(vf_set(1.0f / 6), high, vf_mul(vf_set(1.0f / 24), low));
    y[0] = vf_mul(vf_set(0.25f), low);
    y[ys] = vf_mac(vf_set(-1.0f / 6), odd, even);
    y[2 * ys] = vf_mac(vf_set(1.0f / 6), odd, even);
    y[3 * ys] = vf_mac(vf_set(1.0f / 12), odd, rising);
    y[4 * ys] = vf_mac(vf_set(-1.0f / 12), odd, rising);
    y[5 * ys] = high;
}

/* The same of F(2x2, 3x3): y[0..3]. */
INLINE void winograd_weights_four(vf *y, int ys, const vf *x, int xs)
{
    vf low = x[0], odd = x[xs], high = x[2 * xs];
    vf even = vf_mul(vf_set(0.5f), vf_add(low, high));
    y[0] = low;
    y[ys] = vf_mac(vf_set(0.5f), odd, even);
    y[2 * ys] = vf_mac(vf_set(-0.5f), odd, even);
    y[3 * ys] = high;
}

/* Applies G of a side with `tile` outputs, a constant. */
INLINE void winograd_weights_line(vf *y, int ys, const vf *x, int xs, const int tile)
{
    if (tile == 6)
        winograd_weights_eight(y, ys, x, xs);
    else if (tile == 4)
        winograd_weights_six(y, ys, x, xs);
    else
        winograd_weights_four(y, ys, x, xs);
}

INLINE void winograd_weights_run(struct dd_out u, const float *w, size_t count, const int tile)
{
    const int side = tile + 2;
    for (size_t i = 0; i < count; i++, w += 9 * GEMM_NR, u.at += GEMM_NR) {
        UNROLL
        for (int j = 0; j < GEMM_NR; j += VL) {
            vf x[9];
            vf d[8 * 3];
            vf o[8];

            UNROLL
            for (int k = 0; k < 9; k++)
                x[k] = vf_load(w + k * GEMM_NR + j);
            UNROLL
            for (int k = 0; k < 3; k++)
                winograd_weights_line(d + k, 3, x + k, 3, tile);

            UNROLL
            for (int k = 0; k < side; k++) {
                winograd_weights_line(o, 1, d + 3 * k, 1, tile);
                UNROLL
                for (int l = 0; l < side; l++)
                    vf_store(u.at + (size_t)(side * k + l) * u.stride + j, o[l]);
            }
        }
    }
}

static void K(winograd_weights)(struct dd_out u, const float *w, size_t count)
{
    winograd_weights_run(u, w, count, 4);
}

static void K(winograd6_weights)(struct dd_out u, const float *w, size_t count)
{
    winograd_weights_run(u, w, count, 6);
}

static void K(winograd2_weights)(struct dd_out u, const float *w, size_t count)
{
    winograd_weights_run(u, w, count, 2);
}
