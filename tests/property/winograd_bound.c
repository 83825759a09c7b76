/* A bound for the error of Winograd's convolution, y = A^T [sum over channels i of (G g_i G^T) * (B^T
   d_i B)] A, with A, B, G of F(6x6, 3x3), F(4x4, 3x3) or F(2x2, 3x3). Either side of a tile of F(6x6,
   3x3) may be a four. A and B on that side are those of F(4x4, 3x3), but U is that of F(6x6, 3x3) at the
   same point; each row of B^T is scaled to make up for it.

   Notation, u = 2^-24:
     k       a product of a tile (64, 48, 36 or 16)
     a_k     its factor in one output, from A^T x A^T
     U, V    the exact transforms of weights and input
     s_kj    the sum of U_ki V_ki over i <= j
     |V|_k   (|B^T| |d| |B|)_k
     |U|_k   (|G| |g| |G^T|)_k
   The roundings by kernels.def:
     V is off by v u |V|, v = 7.1, 5.1 or 3.1
     U is off by w u |U|, w = 8.1, 8.1 or 4.1
     each fused addition is off by u |s_kj|
     the output is off by o u sum_k |a_k s_k|, o = 10.1, 10.1 or 8.1

   Channel i brings into the output an error of at most c_i = u sum_k |a_k| (v |U_ki| |V|_ki + w |U|_ki
   |V_ki|), however the roundings within a tile depend on each other. Between channels, and between the
   additions of the sums, roundings are independent and of mean 0. So (Hoeffding; Higham and Mary 2019)
     |y - exact| <= 7 sqrt(sum_i c_i^2) + 7 u sqrt(sum_k a_k^2 sum_j s_kj^2) + o u sum_k |a_k s_k|
   fails with a probability below 4 exp(-24).

   The points 2 and -2 make these sizes large: |a_k| up to 64, along sixes 1024; |B^T| up to 100, along
   sixes 225, and along fours with the smaller U of sixes 506. */
#include "winograd_bound.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PLANES = 64, PIXELS = 36 };

/* One side of a tile: its outputs, its points, and the matrices B^T, G and A^T. */
struct side {
    int outputs, points;
    double bt[8][8], g[8][3], at[6][8];
};

static const struct side six = { 6,
                                 8,
                                 { { 1, 0, -21. / 4, 0, 21. / 4, 0, -1, 0 },
                                   { 0, 1, 1, -17. / 4, -17. / 4, 1, 1, 0 },
                                   { 0, -1, 1, 17. / 4, -17. / 4, -1, 1, 0 },
                                   { 0, 1. / 2, 1. / 4, -5. / 2, -5. / 4, 2, 1, 0 },
                                   { 0, -1. / 2, 1. / 4, 5. / 2, -5. / 4, -2, 1, 0 },
                                   { 0, 2, 4, -5. / 2, -5, 1. / 2, 1, 0 },
                                   { 0, -2, 4, 5. / 2, -5, -1. / 2, 1, 0 },
                                   { 0, -1, 0, 21. / 4, 0, -21. / 4, 0, 1 } },
                                 { { 1, 0, 0 },
                                   { -2. / 9, -2. / 9, -2. / 9 },
                                   { -2. / 9, 2. / 9, -2. / 9 },
                                   { 1. / 90, 1. / 45, 2. / 45 },
                                   { 1. / 90, -1. / 45, 2. / 45 },
                                   { 32. / 45, 16. / 45, 8. / 45 },
                                   { 32. / 45, -16. / 45, 8. / 45 },
                                   { 0, 0, 1 } },
                                 { { 1, 1, 1, 1, 1, 1, 1, 0 },
                                   { 0, 1, -1, 2, -2, 1. / 2, -1. / 2, 0 },
                                   { 0, 1, 1, 4, 4, 1. / 4, 1. / 4, 0 },
                                   { 0, 1, -1, 8, -8, 1. / 8, -1. / 8, 0 },
                                   { 0, 1, 1, 16, 16, 1. / 16, 1. / 16, 0 },
                                   { 0, 1, -1, 32, -32, 1. / 32, -1. / 32, 1 } } };
static const struct side four_of_six = {
    4,
    6,
    { { 1, 0, -5. / 4, 0, 1. / 4, 0 },
      { 0, -3, -3, 3. / 4, 3. / 4, 0 },
      { 0, 3, -3, -3. / 4, 3. / 4, 0 },
      { 0, -15. / 2, -15. / 4, 15. / 2, 15. / 4, 0 },
      { 0, 15. / 2, -15. / 4, -15. / 2, 15. / 4, 0 },
      { 0, 4, 0, -5, 0, 1 } },
    { { 1, 0, 0 },
      { -2. / 9, -2. / 9, -2. / 9 },
      { -2. / 9, 2. / 9, -2. / 9 },
      { 1. / 90, 1. / 45, 2. / 45 },
      { 1. / 90, -1. / 45, 2. / 45 },
      { 0, 0, 1 } },
    { { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 } }
};
static const struct side four = {
    4,
    6,
    { { 4, 0, -5, 0, 1, 0 },
      { 0, -4, -4, 1, 1, 0 },
      { 0, 4, -4, -1, 1, 0 },
      { 0, -2, -1, 2, 1, 0 },
      { 0, 2, -1, -2, 1, 0 },
      { 0, 4, 0, -5, 0, 1 } },
    { { 1. / 4, 0, 0 },
      { -1. / 6, -1. / 6, -1. / 6 },
      { -1. / 6, 1. / 6, -1. / 6 },
      { 1. / 24, 1. / 12, 1. / 6 },
      { 1. / 24, -1. / 12, 1. / 6 },
      { 0, 0, 1 } },
    { { 1, 1, 1, 1, 1, 0 }, { 0, 1, -1, 2, -2, 0 }, { 0, 1, 1, 4, 4, 0 }, { 0, 1, -1, 8, -8, 1 } }
};
static const struct side two = {
    2,
    4,
    { { 1, 0, -1, 0 }, { 0, 1, 1, 0 }, { 0, -1, 1, 0 }, { 0, 1, 0, -1 } },
    { { 1, 0, 0 }, { 1. / 2, 1. / 2, 1. / 2 }, { 1. / 2, -1. / 2, 1. / 2 }, { 0, 0, 1 } },
    { { 1, 1, 1, 0 }, { 0, 1, -1, -1 } }
};

/* The factors v, w and o of the head of this file. */
struct ulps {
    double input, weights, output;
};

static const struct ulps largest = { 7.1, 8.1, 10.1 }, large = { 5.1, 8.1, 10.1 }, small = { 3.1, 4.1, 8.1 };

/* Equal tiles in a row, or in a column. */
struct run {
    const struct side *side;
    int first, tiles;
};

int winograd_cut(int n, int *sixes, int *fours)
{
    int least = 8 * ((n + 5) / 6);
    *sixes = (n + 5) / 6, *fours = 0;
    for (int b = 1; b < 3; b++) {
        int a = n > 4 * b ? (n - 4 * b + 5) / 6 : 0, points = 8 * a + 6 * b;
        if (points < least && 20 * points < 19 * 8 * ((n + 5) / 6))
            least = points, *sixes = a, *fours = b;
    }
    return least;
}

static void cut(struct run runs[2], int n, int tile)
{
    int sixes, fours;
    if (tile == 6) {
        winograd_cut(n, &sixes, &fours);
        runs[0] = (struct run){ &six, 0, sixes };
        runs[1] = (struct run){ &four_of_six, 6 * sixes, fours };
    } else {
        runs[0] = (struct run){ tile == 4 ? &four : &two, 0, (n + tile - 1) / tile };
        runs[1] = (struct run){ 0 };
    }
}

/* A kind of tile by its two sides. */
struct tile {
    const struct side *rows, *columns;
};

/* Computes V and |V| [rows.points * columns.points] of one channel, |V| behind all V of the cin channels,
   for the tile whose first output is at (row, column). */
static void input_of(double *v, const struct tile *tile, const struct dd_conv_shape *s, const double *x,
                     int row, int column)
{
    const struct side *rows = tile->rows, *columns = tile->columns;
    double *size = v + s->cin * rows->points * columns->points;
    int h = s->h << s->doubled, w = s->w << s->doubled, n = columns->points, planes = rows->points * n;
    memset(v, 0, (size_t)planes * sizeof *v);
    memset(size, 0, (size_t)planes * sizeof *size);
    for (int i = 0; i < planes; i++) {
        int iy = row - s->top + i / n, ix = column - s->left + i % n;
        double d = iy >= 0 && iy < h && ix >= 0 && ix < w
                       ? x[((size_t)iy * (size_t)w + (size_t)ix) * (size_t)s->cin]
                       : 0;
        for (int k = 0; k < planes; k++) {
            double factor = rows->bt[k / n][i / n] * columns->bt[k % n][i % n];
            v[k] += factor * d;
            size[k] += fabs(factor * d);
        }
    }
}

/* Computes U and |U| [rows.points * columns.points] of one channel, one behind the other. */
static void weights_of(double *u, const struct tile *tile, const float *g)
{
    const struct side *rows = tile->rows, *columns = tile->columns;
    int n = columns->points, planes = rows->points * n;
    double *size = u + planes;
    for (int k = 0; k < planes; k++) {
        u[k] = size[k] = 0;
        for (int i = 0; i < 9; i++) {
            double one = rows->g[k / n][i / 3] * columns->g[k % n][i % 3] * g[i];
            u[k] += one;
            size[k] += fabs(one);
        }
    }
}

/* The sizes of a tile and a [pixels][planes], its factors a_k. */
struct factors {
    int pixels, planes, cin;
    double a[PIXELS * PLANES];
};

/* Fills the bound [pixels] of one tile and one output channel, from v [2][cin][planes], which is V and |V|,
   and u [cin][2][planes]. */
static void tile_bound(double *bound, const struct ulps *ulps, const struct factors *f, const double *v,
                       const double *u)
{
    int pixels = f->pixels, planes = f->planes, cin = f->cin;
    const double *a = f->a, *size = v + cin * planes;
    double sum[PLANES] = { 0 }, squares[PLANES] = { 0 }, channels[PIXELS] = { 0 };

    for (int i = 0; i < cin; i++, v += planes, size += planes, u += 2 * planes) {
        double one[PLANES], c;
        for (int k = 0; k < planes; k++) {
            sum[k] += u[k] * v[k];
            /* The sum after channel i is rounded, so each partial sum counts. */
            squares[k] += sum[k] * sum[k];
            one[k] = ulps->input * fabs(u[k]) * size[k] + ulps->weights * u[planes + k] * fabs(v[k]);
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
        bound[p] = ldexp(7 * sqrt(channels[p]) + 7 * sqrt(sums) + ulps->output * last, -24);
    }
}

/* A convolution, with its input and weights. */
struct convolution {
    const struct dd_conv_shape *shape;
    const double *x;
    const float *w;
};

/* Fills the bound of the tiles that lie in both runs. */
static void tiles_bound(double *bound, const struct convolution *of, const struct ulps *ulps,
                        const struct run *down, const struct run *across)
{
    const struct dd_conv_shape *s = of->shape;
    struct tile tile = { down->side, across->side };
    int height = dd_conv_height(s), width = dd_conv_width(s), cin = s->cin, cout = s->cout;
    int high = tile.rows->outputs, wide = tile.columns->outputs, n = tile.columns->points;
    struct factors f = { .pixels = high * wide, .planes = tile.rows->points * n, .cin = cin };
    int planes = f.planes;
    double *u = malloc((size_t)(cin * cout * 2 * planes) * sizeof *u);
    double *v = malloc((size_t)(cin * 2 * planes) * sizeof *v), one[PIXELS];

    for (int i = 0; i < cin * cout; i++)
        weights_of(u + i * 2 * planes, &tile, of->w + 9 * i);
    for (int p = 0; p < f.pixels; p++)
        for (int k = 0; k < planes; k++)
            f.a[p * planes + k] = tile.rows->at[p / wide][k / n] * tile.columns->at[p % wide][k % n];

    for (int t = 0; t < down->tiles * across->tiles; t++) {
        int row = down->first + t / across->tiles * high, column = across->first + t % across->tiles * wide;
        for (int i = 0; i < cin; i++)
            input_of(v + i * planes, &tile, s, of->x + i, row, column);

        for (int o = 0; o < cout; o++) {
            tile_bound(one, ulps, &f, v, u + o * cin * 2 * planes);
            for (int p = 0; p < f.pixels; p++)
                if (row + p / wide < height && column + p % wide < width)
                    bound[((row + p / wide) * width + column + p % wide) * cout + o] = one[p];
        }
    }

    free(u);
    free(v);
}

static const struct ulps *ulps_of(int tile)
{
    switch (tile) {
    case 6: return &largest;
    case 4: return &large;
    default: return &small;
    }
}

void winograd_bound(double *bound, const struct dd_conv_shape *s, int tile, const double *x, const float *w)
{
    const struct convolution of = { s, x, w };
    struct run down[2], across[2];
    cut(down, dd_conv_height(s), tile);
    cut(across, dd_conv_width(s), tile);
    for (int i = 0; i < 4; i++)
        if (down[i / 2].tiles > 0 && across[i % 2].tiles > 0)
            tiles_bound(bound, &of, ulps_of(tile), &down[i / 2], &across[i % 2]);
}
