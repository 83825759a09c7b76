/* exp and the activations over vectors.  Errors are relative unless said otherwise, in u = 2^-24, half a unit
   in the last place of 1.  The polynomials are minimax fits of our own: their coefficients were rounded to
   float one after the other, each time refitting the rest. */

/* Returns e^x for -88 <= x <= 89: infinite above 88.37, zero below -87.68.

     e^x = 2^k e^r,   k = rint(x / ln 2),   |r| <= ln(2) / 2,   e^r = 1 + (r + r^2 q(r))

   The error is at most 2 u.  k ln2_high leaves x exactly, because both are multiples of 2^-25 and differ by
   less than 1/2.  ln2_low rounds r by u/4.  q is good to 3.2e-9 < u/16 of e^r.  r + r^2 q < 1/2 rounds by
   u/4, and its parts by less.  All this over e^r >= 0.7 is below u; the last addition rounds by u. */
INLINE vf exp_within(vf x)
{
    vf k = vf_round(vf_mul(x, vf_set(0x1.715476p+0f)));
    vf r = vf_fma(k, vf_set(-0x1.62e43p-1f), x);
    r = vf_fma(k, vf_set(0x1.05c61p-29f), r);

    vf q = vf_set(0x1.6a42a2p-10f);
    q = vf_mac(q, r, vf_set(0x1.12387p-7f));
    q = vf_mac(q, r, vf_set(0x1.5558bap-5f));
    q = vf_mac(q, r, vf_set(0x1.555494p-3f));
    q = vf_mac(q, r, vf_set(0x1.fffffcp-2f));

    return vf_mul(vf_add(vf_set(1), vf_mac(vf_mul(r, r), q, r)), vf_pow2(k));
}

/* Returns e^x for any x. */
INLINE vf vf_exp(vf x)
{
    return exp_within(vf_min(vf_set(89), vf_max(vf_set(-88), x)));
}

/* Returns x / (1 + e^-x).  The error is 4 u: 2 for e^-x, 1 each for sum and quotient.

   Below -88.37 the divisor is infinite, and silu, which is within 4e-37 of 0 there, comes out as -0.  The
   bound of the numerator keeps it so at -inf. */
INLINE vf vf_silu(vf x)
{
    x = vf_max(vf_set(-89), x);
    return vf_div(x, vf_add(vf_set(1), exp_within(vf_sub(vf_set(0), vf_min(vf_set(88), x)))));
}

/* Phi(-a) = e^(-a^2 / 2) q(t) for a >= 0, with t = 1 / (1 + a / 4).  Returns q(t), of degree 7. */
INLINE vf gelu_tail(vf a)
{
    vf t = vf_div(vf_set(1), vf_fma(vf_set(0.25f), a, vf_set(1)));
    vf q = vf_set(-0x1.7d1c7p-4f);
    q = vf_mac(q, t, vf_set(0x1.63aaccp-2f));
    q = vf_mac(q, t, vf_set(-0x1.1a6d78p-2f));
    q = vf_mac(q, t, vf_set(0x1.267bfp-2f));
    q = vf_mac(q, t, vf_set(0x1.75d786p-6f));
    q = vf_mac(q, t, vf_set(0x1.cbb03ep-4f));
    q = vf_mac(q, t, vf_set(0x1.951134p-4f));
    return vf_mul(q, t);
}

/* Returns e^(-a^2 / 2), which is 0 from a = 14 on. */
INLINE vf gelu_exp(vf a)
{
    return vf_exp(vf_mul(vf_mul(a, a), vf_set(-0.5f)));
}

/* Returns x Phi(x) = max(x, 0) - a Phi(-a), a = |x|.

   The error is absolute, 4.7 u, plus u |y| for the difference.  q is good to 1.2e-9 in a Phi(-a).  Its Horner
   scheme rounds by 0.35 u (1 + t + .. + t^6).  t rounds by 2 u, times at most the sum of i |q_i| t^i.  e^..
   with its argument and the three products make (6 + a^2 / 2) u of a Phi(-a).  The worst place is a = 0.7,
   with 0.55 (1.6 u + 5.0 u) + 0.17 * 6.3 u. */
INLINE vf vf_gelu(vf x)
{
    vf a = vf_min(vf_set(14), vf_max(x, vf_sub(vf_set(0), x)));
    return vf_sub(vf_max(vf_set(0), x), vf_mul(a, vf_mul(gelu_tail(a), gelu_exp(a))));
}

/* Returns x tanh(ln(1 + e)) = x n / (n + 2) with e = e^x and n = e (e + 2), so that there is no difference
   anywhere.  From 20 on the quotient is 1.

   The error is 9 u.  n has 6: 2 of e, up to 1 + 2 of e + 2, 1 of the product.  The quotient as a function of
   n does not enlarge them; its sum and itself make 2, the last product 1. */
INLINE vf vf_mish(vf x)
{
    vf e = vf_exp(vf_min(vf_set(20), x));
    vf n = vf_mul(e, vf_add(e, vf_set(2)));

    return vf_mul(vf_max(vf_set(-90), x), vf_div(n, vf_add(n, vf_set(2))));
}

/* Returns act(x). */
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

/* Returns s (1 + x (1 - s)) with e = e^-x, s = 1 / (1 + e) and 1 - s = e s, so that the one difference is
   harmless.  At -86 and below it is some -4e-36: nothing there is infinite or denormal.

   The error is 2 u + 5 u |y|.  s has 4 u: 2 of e, 1 each of sum and quotient.  x (1 - s) has 8 u of e, s and
   two products, which s (1 - s) |x| <= 0.224 weighs.  The sum and the last product follow. */
INLINE vf vf_silu_slope(vf x)
{
    x = vf_min(vf_set(88), vf_max(vf_set(-86), x));
    vf e = exp_within(vf_sub(vf_set(0), x)), s = vf_div(vf_set(1), vf_add(vf_set(1), e));

    return vf_mul(s, vf_fma(x, vf_mul(e, s), vf_set(1)));
}

/* Returns Phi(x) + x phi(x), phi(x) = e^(-x^2 / 2) / sqrt(2 pi).

   The error is 19 u.  In Phi(-a), q has 0.8 u, its Horner scheme 0.35 u (1 + t + .. + t^6), and t has 2 u
   times at most the sum of i |q_i| t^i, all times e^..  With its argument and two products e^.. makes (5 +
   a^2 / 2) u of Phi(-a), and the same of a phi(a) <= 0.25.  The two last sums make 1 u each.  The worst place
   is next to a = 0. */
INLINE vf vf_gelu_slope(vf x)
{
    x = vf_min(vf_set(14), vf_max(vf_set(-14), x));
    vf a = vf_max(x, vf_sub(vf_set(0), x)), e = gelu_exp(a), tail = vf_mul(gelu_tail(a), e);

    return vf_fma(vf_mul(x, vf_set(0x1.988454p-2f)), e, vf_above(x, vf_sub(vf_set(1), tail), tail));
}

/* Returns t + x (1 - t^2) s with t = n / (n + 2) as above and s = e / (1 + e), which is r (n + 4 x e (e + 1)
   r) with r = 1 / (n + 2).  Beyond -86 and 20 it has its value there.

   The error is 7 u + 11 u |y|.  t has 9 u: 6 of n, 3 of the divisor and two roundings.  The second term, at
   most 0.264, has 17 u: 4 of e, 9 of e + 1, n + 2 and r taken twice, 4 of the products.  The sum and the last
   product make 2 u |y|; and |t| <= |y| + 0.264. */
INLINE vf vf_mish_slope(vf x)
{
    x = vf_min(vf_set(20), vf_max(vf_set(-86), x));
    vf e = vf_exp(x), n = vf_mul(e, vf_add(e, vf_set(2))), r = vf_div(vf_set(1), vf_add(n, vf_set(2)));

    vf second = vf_mul(vf_mul(vf_mul(x, vf_set(4)), e), vf_mul(vf_add(e, vf_set(1)), r));
    return vf_mul(r, vf_add(n, second));
}

/* Returns act'(x); for ReLU it is 0 at 0, as PyTorch has it. */
INLINE vf vf_act_slope(vf x, enum dd_act act)
{
    switch (act) {
    case DD_ACT_NONE: break;
    case DD_ACT_SILU: return vf_silu_slope(x);
    case DD_ACT_GELU: return vf_gelu_slope(x);
    case DD_ACT_RELU: return vf_above(x, vf_set(1), vf_max(vf_set(0), x));
    case DD_ACT_MISH: return vf_mish_slope(x);
    }
    return vf_set(1);
}

/* Calls one copy of f per activation.  The last argument of f is terms, and terms.act is a constant in each
   copy. */
#define BY_ACT(terms, f, ...)          \
    do {                               \
        switch ((terms).act) {         \
        case DD_ACT_NONE:              \
            (terms).act = DD_ACT_NONE; \
            f(__VA_ARGS__, terms);     \
            break;                     \
        case DD_ACT_SILU:              \
            (terms).act = DD_ACT_SILU; \
            f(__VA_ARGS__, terms);     \
            break;                     \
        case DD_ACT_GELU:              \
            (terms).act = DD_ACT_GELU; \
            f(__VA_ARGS__, terms);     \
            break;                     \
        case DD_ACT_RELU:              \
            (terms).act = DD_ACT_RELU; \
            f(__VA_ARGS__, terms);     \
            break;                     \
        case DD_ACT_MISH:              \
            (terms).act = DD_ACT_MISH; \
            f(__VA_ARGS__, terms);     \
            break;                     \
        }                              \
    } while (0)
