/* Noise that is a function of its place: (seed, image, step, purpose, draw, element) -> word -> normal
   deviate.

   Words: Philox4x32-10 of Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (SC
   2011), which is ten rounds of
     (x0, x1, x2, x3) <- (hi(M1 x2) ^ x1 ^ k0, lo(M1 x2), hi(M0 x0) ^ x3 ^ k1, lo(M0 x0)),
     (k0, k1) += (W0, W1) between rounds.
   Block b gives the elements 4b .. 4b+3.  Its counter is (b, index, t, purpose << 24 | draw), its key the low
   and the high word of the seed.

   Normals: z = Phi^-1((w + 1/2) 2^-32) by PPND16 of Wichura, "Algorithm AS 241: the percentage points of the
   normal distribution" (Applied Statistics 37, 1988): three rational functions, relative error about 1e-16.

   Only + - * / and sqrt, which IEEE 754 rounds correctly, and the logarithm below are used, so the bits are
   the same on every machine. */
#include "base/rng.h"
#include <float.h>
#include <math.h>

_Static_assert(FLT_EVAL_METHOD == 0,
               "double must be computed as double: on 32-bit x86, compile with -msse2 -mfpmath=sse");

void dd_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];

    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53 * x0, b = (uint64_t)0xCD9E8D57 * x2;
        x0 = (uint32_t)(b >> 32) ^ x1 ^ k0;
        x1 = (uint32_t)b;
        x2 = (uint32_t)(a >> 32) ^ x3 ^ k1;
        x3 = (uint32_t)a;
        k0 += 0x9E3779B9;
        k1 += 0xBB67AE85;
    }

    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
}

uint32_t dd_rng_t(double t)
{
    return isinf(t) ? UINT32_MAX : (uint32_t)llround(65536 * t);
}

/* Fills out with the words of block b of a stream. */
static void block(uint32_t out[4], const struct dd_rng *r, size_t b)
{
    uint32_t counter[4] = { (uint32_t)b, r->index, r->t, r->purpose_draw };
    uint32_t key[2] = { (uint32_t)r->seed, (uint32_t)(r->seed >> 32) };
    dd_rng_philox(out, counter, key);
}

/* The first word may lie inside of a block. */
void dd_rng_words(const struct dd_rng *r, uint32_t *w, size_t first, size_t n)
{
    uint32_t four[4];
    for (size_t i = first; i < first + n; i++) {
        if (i == first || i % 4 == 0)
            block(four, r, i / 4);
        w[i - first] = four[i % 4];
    }
}

void dd_rng_uniform(const struct dd_rng *r, double *u, size_t n)
{
    uint32_t four[4];
    for (size_t i = 0; i < n; i++) {
        if (i % 4 == 0)
            block(four, r, i / 4);
        u[i] = (four[i % 4] + 0.5) * 0x1p-32;
    }
}

void dd_rng_normal(const struct dd_rng *r, double *z, size_t n)
{
    dd_rng_uniform(r, z, n);
    for (size_t i = 0; i < n; i++)
        z[i] = dd_rng_quantile(z[i]);
}

/* Returns ln x for normal x > 0.  With x = 2^k m, sqrt(1/2) < m <= sqrt(2), f = m - 1, s = f / (2 + f) and
   z = s^2 <= 0.0295,
     ln m = 2 atanh s = 2 s + s R,   R = 2 (z/3 + z^2/5 + ...), cut where z^11/23 < 2^-60.
   2 s = f - s f is taken as f - f^2/2 + s f^2/2, whose leading terms carry no rounding of the division.  ln 2
   is split so that k times its first part is exact. */
static double log_portable(double x)
{
    static const double ln2_high = 0x1.62e42feep-1, ln2_low = 0x1.a39ef35793c76p-33;

    int k;
    double m = frexp(x, &k);
    if (m < 0x1.6a09e667f3bcdp-1) {
        m *= 2;
        k--;
    }

    double f = m - 1, s = f / (2 + f), z = s * s, square = 0.5 * f * f, series = 0;
    /* The series of R by Horner's scheme, from its smallest term. */
    for (int j = 10; j > 0; j--)
        series = (series + 2.0 / (2 * j + 1)) * z;

    return k * ln2_high - ((square - (s * (square + series) + k * ln2_low)) - f);
}

/* Returns p(x) / q(x), two polynomials of degree 7 by Horner's scheme. */
static double ratio(const double p[8], const double q[8], double x)
{
    double a = p[7], b = q[7];
    for (int i = 6; i >= 0; i--) {
        a = a * x + p[i];
        b = b * x + q[i];
    }
    return a / b;
}

/* Computes PPND16.  The coefficients are those of the paper: a and b for the middle, c and d near the
   tails, e and f far out. */
double dd_rng_quantile(double p)
{
    static const double middle_p[8] = { 3.3871328727963666080e0,  1.3314166789178437745e+2,
                                        1.9715909503065514427e+3, 1.3731693765509461125e+4,
                                        4.5921953931549871457e+4, 6.7265770927008700853e+4,
                                        3.3430575583588128105e+4, 2.5090809287301226727e+3 };
    static const double middle_q[8] = { 1.0,
                                        4.2313330701600911252e+1,
                                        6.8718700749205790830e+2,
                                        5.3941960214247511077e+3,
                                        2.1213794301586595867e+4,
                                        3.9307895800092710610e+4,
                                        2.8729085735721942674e+4,
                                        5.2264952788528545610e+3 };
    static const double near_p[8] = { 1.42343711074968357734e0,  4.63033784615654529590e0,
                                      5.76949722146069140550e0,  3.64784832476320460504e0,
                                      1.27045825245236838258e0,  2.41780725177450611770e-1,
                                      2.27238449892691845833e-2, 7.74545014278341407640e-4 };
    static const double near_q[8] = { 1.0,
                                      2.05319162663775882187e0,
                                      1.67638483018380384940e0,
                                      6.89767334985100004550e-1,
                                      1.48103976427480074590e-1,
                                      1.51986665636164571966e-2,
                                      5.47593808499534494600e-4,
                                      1.05075007164441684324e-9 };
    static const double far_p[8] = { 6.65790464350110377720e0,  5.46378491116411436990e0,
                                     1.78482653991729133580e0,  2.96560571828504891230e-1,
                                     2.65321895265761230930e-2, 1.24266094738807843860e-3,
                                     2.71155556874348757815e-5, 2.01033439929228813265e-7 };
    static const double far_q[8] = { 1.0,
                                     5.99832206555887937690e-1,
                                     1.36929880922735805310e-1,
                                     1.48753612908506148525e-2,
                                     7.86869131145613259100e-4,
                                     1.84631831751005468180e-5,
                                     1.42151175831644588870e-7,
                                     2.04426310338993978564e-15 };

    /* The middle: a rational function of 0.180625 - q^2. */
    double q = p - 0.5;
    if (fabs(q) <= 0.425)
        return q * ratio(middle_p, middle_q, 0.180625 - q * q);

    /* The tails: rational functions of r, the square root of -ln of the tail. */
    double r = sqrt(-log_portable(q < 0 ? p : 1 - p));
    double z = r <= 5 ? ratio(near_p, near_q, r - 1.6) : ratio(far_p, far_q, r - 5);
    return q < 0 ? -z : z;
}
