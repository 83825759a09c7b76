/* The two transforms of F(4x4, 3x3) (Lavin and Gray 2016): y = A^T [(G g G^T) * (B^T d B)] A, points 0, 1, -1, 2, -2, infinity.

     B^T = 4  0 -5  0 1 0     A^T = 1 1  1 1  1 0
           0 -4 -4  1 1 0           0 1 -1 2 -2 0
           0  4 -4 -1 1 0           0 1  1 4  4 0
           0 -2 -1  2 1 0           0 1 -1 8 -8 1
           0  2 -1 -2 1 0
           0  4  0 -5 0 1
   Each transform is applied to columns, then to rows. */

/* d[i * step], i < 6, becomes B^T d. */
INLINE void winograd_six(vf *d, int step)
{
    vf d0 = d[0], d1 = d[step], d2 = d[2 * step], d3 = d[3 * step], d4 = d[4 * step], d5 = d[5 * step];
    vf a = vf_fma(vf_set(-4), d2, d4), b = vf_fma(vf_set(-4), d1, d3);
    vf c = vf_sub(d4, d2), e = vf_mul(vf_set(2), vf_sub(d3, d1));
    d[0] = vf_fma(vf_set(4), d0, vf_fma(vf_set(-5), d2, d4));
    d[step] = vf_add(a, b);
    d[2 * step] = vf_sub(a, b);
    d[3 * step] = vf_add(c, e);
    d[4 * step] = vf_sub(c, e);
    d[5 * step] = vf_fma(vf_set(4), d1, vf_fma(vf_set(-5), d3, d5));
}

/* y[i * ys], i < 4, is A^T m, m[i * ms], i < 6. */
INLINE void winograd_four(vf *y, int ys, const vf *m, int ms)
{
    vf a = vf_add(m[ms], m[2 * ms]), b = vf_sub(m[ms], m[2 * ms]);
    vf c = vf_add(m[3 * ms], m[4 * ms]), d = vf_sub(m[3 * ms], m[4 * ms]);
    y[0] = vf_add(vf_add(m[0], a), c);
    y[ys] = vf_fma(vf_set(2), d, b);
    y[2 * ys] = vf_fma(vf_set(4), c, a);
    y[3 * ys] = vf_add(vf_fma(vf_set(8), d, b), m[5 * ms]);
}

static void K(winograd_input)(float *v, size_t plane, const float *const *x, size_t channels)
{
    EACH_VECTOR(c, channels,
        vf d[36];
        UNROLL for (int j = 0; j < 6; j++) {
            UNROLL for (int i = 0; i < 6; i++)
                d[6 * i + j] = vf_take(x[6 * i + j] + c, lanes);
            winograd_six(d + j, 6);
        }
        UNROLL for (int i = 0; i < 6; i++) {
            winograd_six(d + 6 * i, 1);
            UNROLL for (int j = 0; j < 6; j++)
                vf_put(v + (size_t)(6 * i + j) * plane + c, d[6 * i + j], lanes);
        }
    );
}

INLINE void winograd_output_run(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                                float scale, size_t channels, enum dd_act act)
{
    EACH_VECTOR(c, channels,
        vf d[6 * 4];
        vf o[4];
        vf b = bias ? vf_take(bias + c, lanes) : vf_set(0);
        UNROLL for (int j = 0; j < 6; j++) {
            vf column[6];
            UNROLL for (int i = 0; i < 6; i++)
                column[i] = vf_take(m + (size_t)(6 * i + j) * plane + c, lanes);
            winograd_four(d + j, 6, column, 1);
        }
        UNROLL for (int i = 0; i < 4; i++) {
            winograd_four(o, 1, d + 6 * i, 1);
            UNROLL for (int j = 0; j < 4; j++)
                if (y[4 * i + j]) {
                    vf sum = vf_add(o[j], b);
                    if (residual)
                        sum = vf_add(sum, vf_take(residual[4 * i + j] + c, lanes));
                    vf_put(y[4 * i + j] + c, vf_act(vf_mul(sum, vf_set(scale)), act), lanes);
                }
        }
    );
}

static void K(winograd_output)(float *const *y, const float *m, size_t plane, const float *bias, const float *const *residual,
                               float scale, size_t channels, enum dd_act act)
{
    BY_ACT(act, winograd_output_run, y, m, plane, bias, residual, scale, channels);
}
