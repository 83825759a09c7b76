/* The error of y = A^T [sum over channels i of (G g_i G^T) * (B^T d_i B)] A, with A, B, G of F(6x6, 3x3), F(4x4, 3x3) or F(2x2, 3x3).

   Write k for a product of a tile (64, 36 or 16), a_k for its factor in one output, A^T x A^T; U, V for the exact transforms, s_kj for the sum of
   U_ki V_ki over i <= j; |V| for (|B^T| |d| |B|)_k and |U| for (|G| |g| |G^T|)_k, u = 2^-24.  By kernels.def:
     V is off by v u |V|, v = 7.1, 5.1 or 3.1;  U by w u |U|, w = 8.1, 8.1 or 4.1;  each fused addition by u |s_kj|;
     the output by o u sum_k |a_k s_k|, o = 10.1, 10.1 or 8.1.
   What channel i brings into the output is off by at most c_i = u sum_k |a_k| (v |U_ki| |V|_ki + w |U|_ki |V_ki|), whatever the roundings within a
   tile have to do with each other.  Between channels, and between the additions of the sums, they are independent and of mean 0, so that
   (Hoeffding; Higham and Mary 2019)
     |y - exact| <= 7 sqrt(sum_i c_i^2) + 7 u sqrt(sum_k a_k^2 sum_j s_kj^2) + o u sum_k |a_k s_k|
   fails with a probability below 4 exp(-24).  The points 2 and -2 make |a_k| as large as 64, of
   the largest tile 1024, and |B^T| as large as 100. */
#include "winograd_bound.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES = 64, PIXELS = 36 };

struct transforms { int tile, side; double input, weights, output, bt[8][8], g[8][3], at[6][8]; };

static const struct transforms largest = { 6, 8, 7.1, 8.1, 10.1,
    { { 1, 0, -21. / 4, 0, 21. / 4, 0, -1, 0 }, { 0, 1, 1, -17. / 4, -17. / 4, 1, 1, 0 }, { 0, -1, 1, 17. / 4, -17. / 4, -1, 1, 0 },
      { 0, 1. / 2, 1. / 4, -5. / 2, -5. / 4, 2, 1, 0 }, { 0, -1. / 2, 1. / 4, 5. / 2, -5. / 4, -2, 1, 0 }, { 0, 2, 4, -5. / 2, -5, 1. / 2, 1, 0 },
      { 0, -2, 4, 5. / 2, -5, -1. / 2, 1, 0 }, { 0, -1, 0, 21. / 4, 0, -21. / 4, 0, 1 } },
    { { 1, 0, 0 }, { -2. / 9, -2. / 9, -2. / 9 }, { -2. / 9, 2. / 9, -2. / 9 }, { 1. / 90, 1. / 45, 2. / 45 }, { 1. / 90, -1. / 45, 2. / 45 },
      { 32. / 45, 16. / 45, 8. / 45 }, { 32. / 45, -16. / 45, 8. / 45 }, { 0, 0, 1 } },
    { { 1, 1, 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0 }, { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 }, { 0, 1, -1, 8, -8, 1. / 8, -1. / 8, 0 },
      { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 }, { 0, 1, -1, 32, -32, 1. / 32, -1. / 32, 1 } } };

static const struct transforms large = { 4, 6, 5.1, 8.1, 10.1,
    { { 4, 0, -5, 0, 1, 0 }, { 0, -4, -4, 1, 1, 0 }, { 0, 4, -4, -1, 1, 0 }, { 0, -2, -1, 2, 1, 0 }, { 0, 2, -1, -2, 1, 0 }, { 0, 4, 0, -5, 0, 1 } },
    { { 1. / 4, 0, 0 }, { -1. / 6, -1. / 6, -1. / 6 }, { -1. / 6, 1. / 6, -1. / 6 }, { 1. / 24, 1. / 12, 1. / 6 }, { 1. / 24, -1. / 12, 1. / 6 }, { 0, 0, 1 } },
    { { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 } } };
static const struct transforms small = { 2, 4, 3.1, 4.1, 8.1,
    { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } },
    { { 1, 0, 0 }, { 1. / 2, 1. / 2, 1. / 2 }, { 1. / 2, -1. / 2, 1. / 2 }, { 0, 0, 1 } },
    { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } } };

/* V and |V| [side * side] of one channel, whose tile's first output is at (row, column). */
static void input_of(double *v, double *size, const struct transforms *t, const struct dd_conv_shape *s, const double *x, int row, int column)
{
    int h = s->h << s->doubled, w = s->w << s->doubled, n = t->side;
    memset(v, 0, (size_t)(n * n) * sizeof *v);
    memset(size, 0, (size_t)(n * n) * sizeof *size);
    for (int i = 0; i < n * n; i++) {
        int iy = row - s->top + i / n, ix = column - s->left + i % n;
        double d = iy >= 0 && iy < h && ix >= 0 && ix < w ? x[((size_t)iy * (size_t)w + (size_t)ix) * (size_t)s->cin] : 0;
        for (int k = 0; k < n * n; k++) {
            double factor = t->bt[k / n][i / n] * t->bt[k % n][i % n];
            v[k] += factor * d;
            size[k] += fabs(factor * d);
        }
    }
}

/* U and |U| [side * side] of one channel, one behind the other. */
static void weights_of(double *u, const struct transforms *t, const float *g)
{
    int n = t->side;
    double *size = u + n * n;
    for (int k = 0; k < n * n; k++) {
        u[k] = size[k] = 0;
        for (int i = 0; i < 9; i++) {
            double one = t->g[k / n][i / 3] * t->g[k % n][i % 3] * g[i];
            u[k] += one;
            size[k] += fabs(one);
        }
    }
}

/* Of one tile and one output channel: bound [tile * tile]; v, size [cin][planes]; u [cin][2][planes]; a [tile * tile][planes]. */
static void tile_bound(double *bound, const struct transforms *t, const double *a, const double *v, const double *size, const double *u, int cin)
{
    int planes = t->side * t->side, pixels = t->tile * t->tile;
    double sum[PLANES] = { 0 }, squares[PLANES] = { 0 }, channels[PIXELS] = { 0 };
    for (int i = 0; i < cin; i++, v += planes, size += planes, u += 2 * planes) {
        double one[PLANES], c;
        for (int k = 0; k < planes; k++) {
            sum[k] += u[k] * v[k];
            squares[k] += sum[k] * sum[k];
            one[k] = t->input * fabs(u[k]) * size[k] + t->weights * u[planes + k] * fabs(v[k]);
        }
        for (int p = 0; p < pixels; p++) {
            c = 0;
            for (int k = 0; k < planes; k++)
                c += fabs(a[p * planes + k]) * one[k];
            channels[p] += c * c;
        }
    }
    for (int p = 0; p < pixels; p++) {
        double sums = 0, last = 0;
        for (int k = 0; k < planes; k++) {
            double factor = a[p * planes + k];
            sums += factor * factor * squares[k];
            last += fabs(factor * sum[k]);
        }
        bound[p] = ldexp(7 * sqrt(channels[p]) + 7 * sqrt(sums) + t->output * last, -24);
    }
}

void winograd_bound(double *bound, const struct dd_conv_shape *s, int tile, const double *x, const float *w)
{
    const struct transforms *t = tile == 6 ? &largest : tile == 4 ? &large : &small;
    int height = dd_conv_height(s), width = dd_conv_width(s), cin = s->cin, cout = s->cout, n = t->side, planes = n * n;
    double *u = malloc((size_t)(cin * cout * 2 * planes) * sizeof *u), *v = malloc((size_t)(cin * 2 * planes) * sizeof *v), *size = v + cin * planes;
    double a[PIXELS * PLANES], one[PIXELS];
    for (int i = 0; i < cin * cout; i++)
        weights_of(u + i * 2 * planes, t, w + 9 * i);
    for (int p = 0; p < tile * tile; p++)
        for (int k = 0; k < planes; k++)
            a[p * planes + k] = t->at[p / tile][k / n] * t->at[p % tile][k % n];
    for (int row = 0; row < height; row += tile)
        for (int column = 0; column < width; column += tile) {
            for (int i = 0; i < cin; i++)
                input_of(v + i * planes, size + i * planes, t, s, x + i, row, column);
            for (int o = 0; o < cout; o++) {
                tile_bound(one, t, a, v, size, u + o * cin * 2 * planes, cin);
                for (int p = 0; p < tile * tile; p++)
                    if (row + p / tile < height && column + p % tile < width)
                        bound[((row + p / tile) * width + column + p % tile) * cout + o] = one[p];
            }
        }
    free(u), free(v);
}
