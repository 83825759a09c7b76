/* The adjoints of F(4x4, 3x3) for the gradient by the weights.  The adjoint of y = A^T M A is A dy A^T, the
   adjoint of U = G g G^T is G^T dU G.  A and G are those of winograd_vec.h. */

/* Fills y[i * ys], i < 6, with A x, x[i * xs], i < 4. */
INLINE void adjoint_six(vf *y, int ys, const vf *x, int xs)
{
    vf even = vf_add(x[0], x[2 * xs]), odd = vf_add(x[xs], x[3 * xs]);

    vf even2 = vf_mac(vf_set(4), x[2 * xs], x[0]);
    vf odd2 = vf_mac(vf_set(8), x[3 * xs], vf_mul(vf_set(2), x[xs]));

    y[0] = x[0];
    y[ys] = vf_add(even, odd);
    y[2 * ys] = vf_sub(even, odd);
    y[3 * ys] = vf_add(even2, odd2);
    y[4 * ys] = vf_sub(even2, odd2);
    y[5 * ys] = x[3 * xs];
}

static void K(winograd_output_adjoint)(struct dd_out v, const float *const *x, size_t channels)
{
    EACH_VECTOR(c, channels, {
        vf d[4 * 6];
        vf o[6];

        UNROLL
        for (int j = 0; j < 4; j++) {
            vf column[4];
            UNROLL
            for (int i = 0; i < 4; i++)
                column[i] = vf_take(x[4 * i + j] + c, lanes);
            adjoint_six(d + j, 4, column, 1);
        }

        UNROLL
        for (int i = 0; i < 6; i++) {
            adjoint_six(o, 1, d + 4 * i, 1);
            UNROLL
            for (int j = 0; j < 6; j++)
                vf_put(v.at + (size_t)(6 * i + j) * v.stride + c, o[j], lanes);
        }
    });
}

/* Fills y[i * ys], i < 3, with G^T u, u[i * us], i < 6. */
INLINE void adjoint_three(vf *y, int ys, const vf *u, int us)
{
    vf a = vf_add(u[us], u[2 * us]), b = vf_sub(u[2 * us], u[us]);
    vf c = vf_add(u[3 * us], u[4 * us]), d = vf_sub(u[3 * us], u[4 * us]);

    y[0] = vf_mac(vf_set(1.0f / 24), c, vf_mac(vf_set(-1.0f / 6), a, vf_mul(vf_set(0.25f), u[0])));
    y[ys] = vf_mac(vf_set(1.0f / 12), d, vf_mul(vf_set(1.0f / 6), b));
    y[2 * ys] = vf_mac(vf_set(1.0f / 6), vf_sub(c, a), u[5 * us]);
}

static void K(winograd_weights_adjoint)(struct dd_out y, struct dd_in u, size_t channels)
{
    EACH_VECTOR(c, channels, {
        vf d[6 * 3];
        vf o[3];

        UNROLL
        for (int j = 0; j < 6; j++) {
            vf column[6];
            UNROLL
            for (int i = 0; i < 6; i++)
                column[i] = vf_take(u.at + (size_t)(6 * i + j) * u.stride + c, lanes);
            adjoint_three(d + j, 6, column, 1);
        }

        UNROLL
        for (int i = 0; i < 3; i++) {
            adjoint_three(o, 1, d + 6 * i, 1);
            UNROLL
            for (int j = 0; j < 3; j++)
                vf_put(y.at + (size_t)(3 * i + j) * y.stride + c, o[j], lanes);
        }
    });
}
