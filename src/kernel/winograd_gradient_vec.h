/* The weights of F(4x4, 3x3), U = G g G^T, and the adjoints that the gradient by the weights needs: of y = A^T M A it is A dy A^T, of U it is
   G^T dU G.  A and G as in winograd_vec.h and

     G = 1/4    0    0
        -1/6 -1/6 -1/6
        -1/6  1/6 -1/6
        1/24 1/12  1/6
        1/24 -1/12 1/6
           0    0    1

   or, of F(2x2, 3x3), the rows 1 0 0, 1/2 1/2 1/2, 1/2 -1/2 1/2, 0 0 1, or, of F(6x6, 3x3), 1 0 0, -2/9 -2/9 -2/9, -2/9 2/9 -2/9, 1/90 1/45 2/45,
   1/90 -1/45 2/45, 32/45 16/45 8/45, 32/45 -16/45 8/45, 0 0 1. */

/* Weights side by side.  The vocabulary has no double; loops over a constant number of them compilers make vectors of. */
enum { WEIGHT_LANES = 8 };                      /* divides GEMM_NR */
typedef double weight_lanes[WEIGHT_LANES];

/* y[0..7 step ys] = G x[0..2 step xs] of F(6x6, 3x3). */
INLINE void weights_eight(weight_lanes *y, int ys, const weight_lanes *x, int xs)
{
    for (int l = 0; l < WEIGHT_LANES; l++) {
        double low = x[0][l], high = x[2 * xs][l], odd = x[xs][l], rising = low + 4 * high, falling = 4 * low + high;
        y[0][l] = low;
        y[ys][l] = -2 * (low + high + odd) / 9;
        y[2 * ys][l] = -2 * (low + high - odd) / 9;
        y[3 * ys][l] = (rising + 2 * odd) / 90;
        y[4 * ys][l] = (rising - 2 * odd) / 90;
        y[5 * ys][l] = 8 * (falling + 2 * odd) / 45;
        y[6 * ys][l] = 8 * (falling - 2 * odd) / 45;
        y[7 * ys][l] = high;
    }
}

/* The same of F(4x4, 3x3): y[0..5]. */
INLINE void weights_six(weight_lanes *y, int ys, const weight_lanes *x, int xs)
{
    for (int l = 0; l < WEIGHT_LANES; l++) {
        double even = x[0][l] + x[2 * xs][l], odd = x[xs][l], low = x[0][l] / 24 + x[2 * xs][l] / 6, middle = odd / 12;
        y[0][l] = x[0][l] / 4;
        y[ys][l] = -(even + odd) / 6;
        y[2 * ys][l] = -(even - odd) / 6;
        y[3 * ys][l] = low + middle;
        y[4 * ys][l] = low - middle;
        y[5 * ys][l] = x[2 * xs][l];
    }
}

/* The same of F(2x2, 3x3): y[0..3]. */
INLINE void weights_four(weight_lanes *y, int ys, const weight_lanes *x, int xs)
{
    for (int l = 0; l < WEIGHT_LANES; l++) {
        double even = x[0][l] + x[2 * xs][l], odd = x[xs][l];
        y[0][l] = x[0][l];
        y[ys][l] = (even + odd) / 2;
        y[2 * ys][l] = (even - odd) / 2;
        y[3 * ys][l] = x[2 * xs][l];
    }
}

INLINE void winograd_weights_run(float *u, size_t plane, const float *w, size_t ws, size_t n, int flipped, const int side)
{
    for (size_t j = 0; j < GEMM_NR; j += WEIGHT_LANES) {
        weight_lanes x[9] = { { 0 } }, half[24], y[64];
        for (size_t l = 0; l < WEIGHT_LANES && j + l < n; l++)
            for (int k = 0; k < 9; k++)
                x[k][l] = w[(j + l) * ws + (size_t)(flipped ? 8 - k : k)];
        for (int k = 0; k < 3; k++)
            (side == 8 ? weights_eight : side == 6 ? weights_six : weights_four)(half + k, 3, x + k, 3);
        for (int k = 0; k < side; k++)
            (side == 8 ? weights_eight : side == 6 ? weights_six : weights_four)(y + side * k, 1, half + 3 * k, 1);
        for (int k = 0; k < side * side; k++)
            for (int l = 0; l < WEIGHT_LANES; l++)
                u[(size_t)k * plane + j + (size_t)l] = (float)y[k][l];
    }
}

static void K(winograd_weights)(float *u, size_t plane, const float *w, size_t ws, size_t n, int flipped)
{
    winograd_weights_run(u, plane, w, ws, n, flipped, 6);
}

static void K(winograd6_weights)(float *u, size_t plane, const float *w, size_t ws, size_t n, int flipped)
{
    winograd_weights_run(u, plane, w, ws, n, flipped, 8);
}

static void K(winograd2_weights)(float *u, size_t plane, const float *w, size_t ws, size_t n, int flipped)
{
    winograd_weights_run(u, plane, w, ws, n, flipped, 4);
}

/* y[i * ys], i < 6, is A x, x[i * xs], i < 4. */
INLINE void adjoint_six(vf *y, int ys, const vf *x, int xs)
{
    vf even = vf_add(x[0], x[2 * xs]), odd = vf_add(x[xs], x[3 * xs]);
    vf even2 = vf_fma(vf_set(4), x[2 * xs], x[0]), odd2 = vf_fma(vf_set(8), x[3 * xs], vf_mul(vf_set(2), x[xs]));
    y[0] = x[0];
    y[ys] = vf_add(even, odd);
    y[2 * ys] = vf_sub(even, odd);
    y[3 * ys] = vf_add(even2, odd2);
    y[4 * ys] = vf_sub(even2, odd2);
    y[5 * ys] = x[3 * xs];
}

static void K(winograd_output_adjoint)(float *v, size_t plane, const float *const *x, size_t channels)
{
    EACH_VECTOR(c, channels,
        vf d[4 * 6];
        vf o[6];
        UNROLL for (int j = 0; j < 4; j++) {
            vf column[4];
            UNROLL for (int i = 0; i < 4; i++)
                column[i] = vf_take(x[4 * i + j] + c, lanes);
            adjoint_six(d + j, 4, column, 1);
        }
        UNROLL for (int i = 0; i < 6; i++) {
            adjoint_six(o, 1, d + 4 * i, 1);
            UNROLL for (int j = 0; j < 6; j++)
                vf_put(v + (size_t)(6 * i + j) * plane + c, o[j], lanes);
        }
    );
}

/* y[i * ys], i < 3, is G^T u, u[i * us], i < 6. */
INLINE void adjoint_three(vf *y, int ys, const vf *u, int us)
{
    vf a = vf_add(u[us], u[2 * us]), b = vf_sub(u[2 * us], u[us]);
    vf c = vf_add(u[3 * us], u[4 * us]), d = vf_sub(u[3 * us], u[4 * us]);
    y[0] = vf_fma(vf_set(1.0f / 24), c, vf_fma(vf_set(-1.0f / 6), a, vf_mul(vf_set(0.25f), u[0])));
    y[ys] = vf_fma(vf_set(1.0f / 12), d, vf_mul(vf_set(1.0f / 6), b));
    y[2 * ys] = vf_fma(vf_set(1.0f / 6), vf_sub(c, a), u[5 * us]);
}

static void K(winograd_weights_adjoint)(float *y, size_t ys, const float *u, size_t plane, size_t channels)
{
    EACH_VECTOR(c, channels,
        vf d[6 * 3];
        vf o[3];
        UNROLL for (int j = 0; j < 6; j++) {
            vf column[6];
            UNROLL for (int i = 0; i < 6; i++)
                column[i] = vf_take(u + (size_t)(6 * i + j) * plane + c, lanes);
            adjoint_three(d + j, 6, column, 1);
        }
        UNROLL for (int i = 0; i < 3; i++) {
            adjoint_three(o, 1, d + 6 * i, 1);
            UNROLL for (int j = 0; j < 3; j++)
                vf_put(y + (size_t)(3 * i + j) * ys + c, o[j], lanes);
        }
    );
}
