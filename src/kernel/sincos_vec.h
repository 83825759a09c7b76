/* sin and cos of a = fl(t f).  With a = k pi/2 + r, k = rint(a 2/pi), |r| <= pi/4 (Cody and Waite 1980) and m
   = k mod 4,

     sin a = sin r cos(m pi/2) + cos r sin(m pi/2),   cos(m pi/2) = 1 - |m|,   sin(m pi/2) = m (2 - |m|),

   which is exact, as one of the two is 0 and the other 1 or -1.

   The absolute error for |a| <= 1e5 is at most 1.8 u, u = 2^-24.

   - r: a - k pi/2_high is exact, because both are multiples of 2^-24 and differ by less than 1.  Subtracting
     k pi/2_low rounds by u/2.  pi/2 differs from the sum of its two parts by 1.8e-15, which makes u/500.
   - sin: the polynomial is good to 2e-9, its inner roundings make 0.2 u, the last one u/2.
   - cos: 1 - z/2 rounds by u/2, z by 0.3 u, the last addition by u/2.  The error of r counts for
     |sin r| u/2 <= 0.4 u, the rest for less than 0.1 u. */
static void K(sincos)(float *s, float *c, const float *f, float t, size_t n)
{
    EACH_VECTOR(i, n, {
        vf a = vf_mul(vf_set(t), vf_take(f + i, lanes));
        /* The quarter turns k, and what is left, r. */
        vf k = vf_round(vf_mul(a, vf_set(0x1.45f306p-1f)));
        vf r = vf_fma(k, vf_set(0x1.777a5cp-25f), vf_fma(k, vf_set(-0x1.921fb6p+0f), a));

        vf z = vf_mul(r, r);
        /* The polynomials of sin r and cos r. */
        vf p = vf_fma(vf_fma(vf_set(-0x1.98db22p-13f), z, vf_set(0x1.1105bap-7f)), z, vf_set(-0x1.55554p-3f));
        vf q =
            vf_fma(vf_fma(vf_set(0x1.99e9dap-16f), z, vf_set(-0x1.6c0c2cp-10f)), z, vf_set(0x1.55554ap-5f));

        vf sine = vf_fma(vf_mul(r, z), p, r);
        vf cosine = vf_fma(vf_mul(z, z), q, vf_fma(z, vf_set(-0.5f), vf_set(1)));

        vf m = vf_fma(vf_round(vf_mul(k, vf_set(0.25f))), vf_set(-4), k);
        vf size = vf_max(m, vf_sub(vf_set(0), m));
        /* sin(m pi/2) and cos(m pi/2). */
        vf turned = vf_mul(m, vf_sub(vf_set(2), size));
        vf straight = vf_sub(vf_set(1), size);

        vf_put(s + i, vf_fma(sine, straight, vf_mul(cosine, turned)), lanes);
        vf_put(c + i, vf_fma(cosine, straight, vf_mul(vf_sub(vf_set(0), sine), turned)), lanes);
    });
}
