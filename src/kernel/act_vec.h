/* exp and the activations over vectors.  Errors are relative unless said otherwise, in u = 2^-24, half a unit in the last place
   of 1. The polynomials are minimax fits of our own: coefficients rounded to float one after the other, each time refitting the
   rest. */

/* e^x = 2^k e^r, k = rint(x / ln 2), |r| <= ln(2) / 2, e^r = 1 + (r + r^2 q(r)).  Infinite above 88.37, zero below -87.68.
   Error at most 2 u: k ln2_high leaves x exactly (both are multiples of 2^-25 and differ by less than 1/2), ln2_low rounds r by
   u/4; q is good to 3.2e-9 < u/16 of e^r; r + r^2 q < 1/2 rounds by u/4 and its parts by less; all this over e^r >= 0.7 is below
   u; the last addition rounds by u. */
INLINE vf vf_exp(vf x)
{
    x = vf_min(vf_set(89), vf_max(vf_set(-88), x));
    vf k = vf_round(vf_mul(x, vf_set(0x1.715476p+0f)));
    vf r = vf_fma(k, vf_set(-0x1.62e43p-1f), x);
    r = vf_fma(k, vf_set(0x1.05c61p-29f), r);
    vf q = vf_set(0x1.6a42a2p-10f);
    q = vf_fma(q, r, vf_set(0x1.12387p-7f));
    q = vf_fma(q, r, vf_set(0x1.5558bap-5f));
    q = vf_fma(q, r, vf_set(0x1.555494p-3f));
    q = vf_fma(q, r, vf_set(0x1.fffffcp-2f));
    return vf_mul(vf_add(vf_set(1), vf_fma(vf_mul(r, r), q, r)), vf_pow2(k));
}

/* x / (1 + e^-x): 4 u, 2 for e^-x, 1 each for sum and quotient.  Below -88.37 the divisor is infinite and silu, there within
   4e-37 of 0, is -0; the least numerator keeps it so at -inf. */
INLINE vf vf_silu(vf x)
{
    x = vf_max(vf_set(-90), x);
    return vf_div(x, vf_add(vf_set(1), vf_exp(vf_sub(vf_set(0), x))));
}

/* x Phi(x) = max(x, 0) - a Phi(-a), a = |x|, Phi(-a) = e^(-a^2 / 2) q(t), t = 1 / (1 + a / 4), q of degree 7.  From 14 on e^..
   is 0.
   Error absolute 4.7 u, plus u |y| for the difference: q is good to 1.2e-9 in a Phi(-a), its Horner scheme rounds by 0.35 u (1 +
   t + .. + t^6), and t by 2 u, times at most the sum of i |q_i| t^i; e^.. with its argument and the three products make (6 + a^2
   / 2) u of a Phi(-a).  The worst place is a = 0.7: 0.55 (1.6 u + 5.0 u) + 0.17 * 6.3 u. */
INLINE vf vf_gelu(vf x)
{
    vf a = vf_min(vf_set(14), vf_max(x, vf_sub(vf_set(0), x)));
    vf t = vf_div(vf_set(1), vf_fma(vf_set(0.25f), a, vf_set(1)));
    vf q = vf_set(-0x1.7d1c7p-4f);
    q = vf_fma(q, t, vf_set(0x1.63aaccp-2f));
    q = vf_fma(q, t, vf_set(-0x1.1a6d78p-2f));
    q = vf_fma(q, t, vf_set(0x1.267bfp-2f));
    q = vf_fma(q, t, vf_set(0x1.75d786p-6f));
    q = vf_fma(q, t, vf_set(0x1.cbb03ep-4f));
    q = vf_fma(q, t, vf_set(0x1.951134p-4f));
    vf tail = vf_mul(vf_mul(q, t), vf_exp(vf_mul(vf_mul(a, a), vf_set(-0.5f))));
    return vf_sub(vf_max(vf_set(0), x), vf_mul(a, tail));
}

/* x tanh(ln(1 + e)) = x n / (n + 2), n = e (e + 2), e = e^x: no difference anywhere.  From 20 on the quotient is 1.
   Error 9 u: e 2, e + 2 up to 1 + 2 and the product 1 make 6 of n, which the quotient as a function of n does not enlarge; its
   sum and itself 2; the last product 1. */
INLINE vf vf_mish(vf x)
{
    vf e = vf_exp(vf_min(vf_set(20), x));
    vf n = vf_mul(e, vf_add(e, vf_set(2)));
    return vf_mul(vf_max(vf_set(-90), x), vf_div(n, vf_add(n, vf_set(2))));
}

INLINE vf vf_act(vf x, enum dd_act act)
{
    switch (act) {
    case DD_ACT_NONE: break;
    case DD_ACT_SILU: return vf_silu(x);
    case DD_ACT_GELU: return vf_gelu(x);
    case DD_ACT_RELU: return vf_max(vf_set(0), x);
    case DD_ACT_MISH: return vf_mish(x);
    }
    return x;
}

/* Calls one copy of f per activation, each with a constant for its last argument. */
#define BY_ACT(act, f, ...) do { \
    switch (act) { \
    case DD_ACT_NONE: f(__VA_ARGS__, DD_ACT_NONE); break; \
    case DD_ACT_SILU: f(__VA_ARGS__, DD_ACT_SILU); break; \
    case DD_ACT_GELU: f(__VA_ARGS__, DD_ACT_GELU); break; \
    case DD_ACT_RELU: f(__VA_ARGS__, DD_ACT_RELU); break; \
    case DD_ACT_MISH: f(__VA_ARGS__, DD_ACT_MISH); break; \
    } \
} while (0)
