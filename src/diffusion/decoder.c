/* decoder.c: L_0 = -ln p(x0 | x_1), a Gaussian over the 256 values that a pixel can have (Ho et al. 2020,
   equation 13):

     p(x) = Phi(b) - Phi(a)
     a = (x - 1/255 - mean) / sigma   (minus infinity where x < -0.999)
     b = (x + 1/255 - mean) / sigma   (infinity where x > 0.999)

   Phi is the exact normal distribution function.  improved-diffusion approximates it by a tanh, which is up
   to 4.5 nats away in the tails.

   The cases below keep the digits of the logarithm for every bin.  By symmetry let the middle m = (a + b) / 2
   be at most 0.  With h = (b - a) / 2, phi the density, and Mills' ratio R(x) = Phi(-x) / phi(x):

     narrow, h <= 1/2 and h|m| <= 1:   ln p = ln phi(m) + ln integral_{-h}^{h} cosh(m u) exp(-u^2/2) du
                                       by Gauss-Legendre with 8 nodes: within 1e-16
     a tail, b <= 0:                   ln p = ln phi(b) + ln (R(-b) - exp(-2 h |m|) R(-a))
                                       since ln phi(a) - ln phi(b) = -2 h |m|
     the middle:                       ln p = ln (1 - Phi(a) - Phi(-b)), by log1p
     an open bin:                      ln p = ln Phi(b);  b <= 0:  ln phi(b) + ln R(-b)

   R(x) is exp(x^2/2) erfc(x / sqrt 2) sqrt(pi/2).  Beyond 5 it is Laplace's continued fraction
   1/(x + 1/(x + 2/(x + 3/(x + ...)))), whose 20 terms leave less than exp(-2 x sqrt(40)).

   Derivatives, without the term of an infinite end:

     d(-ln p)/d mean       = (phi(b) - phi(a)) / (sigma p)
     d(-ln p)/d ln sigma^2 = (b phi(b) - a phi(a)) / (2 p)

   For h|m| <= 1 these differences would cancel, so they are computed otherwise.  With q = phi(m) exp(-h^2/2),

     phi(b) - phi(a)       = -2 q sinh(h m)
     b phi(b) - a phi(a)   = 2 q (h cosh(h m) - m sinh(h m)) */
#include "diffusion/decoder.h"
#include <math.h>
#include <stdbool.h>

static const double ln_sqrt_2pi = 0.91893853320467274178;
static const double sqrt_half = 0.70710678118654752440;
static const double sqrt_half_pi = 1.2533141373155002512;

static double ln_phi(double x)
{
    return -0.5 * x * x - ln_sqrt_2pi;
}

/* Returns R(x), x >= 0. */
static double mills(double x)
{
    double tail = x;
    if (x < 5)
        return sqrt_half_pi * exp(0.5 * x * x) * erfc(x * sqrt_half);

    for (int k = 20; k > 0; k--)
        tail = x + k / tail;
    return 1 / tail;
}

/* Returns ln Phi(b), the case of an open bin. */
static double ln_open(double b)
{
    return b > 0 ? log1p(-0.5 * erfc(b * sqrt_half)) : ln_phi(b) + log(mills(-b));
}

/* Returns ln p of a narrow bin.  The integrand is even, so each node stands for both signs. */
static double ln_narrow(double m, double h)
{
    static const double node[4] = { 0.18343464249564980494, 0.52553240991632898582, 0.79666647741362673959,
                                    0.96028985649753623168 };
    static const double weight[4] = { 0.36268378337836198297, 0.31370664587788728734, 0.22238103445337447054,
                                      0.10122853629037625915 };

    double sum = 0;
    for (int k = 0; k < 4; k++) {
        double u = h * node[k];
        sum += 2 * weight[k] * cosh(m * u) * exp(-0.5 * u * u);
    }

    return ln_phi(m) + log(h * sum);
}

/* Returns ln p of a bin with two ends, m <= 0. */
static double ln_bin(double m, double h)
{
    double a = m - h, b = m + h;
    if (h <= 0.5 && h * fabs(m) <= 1)
        return ln_narrow(m, h);
    /* The bin is in a tail: m <= 0 and b <= 0. */
    if (b <= 0)
        return ln_phi(b) + log(mills(-b) - exp(2 * h * m) * mills(-a));
    return log1p(-0.5 * (erfc(-a * sqrt_half) + erfc(b * sqrt_half)));
}

double dd_decoder_nats(double x, double mean, double sigma)
{
    double h = 1.0 / 255 / sigma, m = (x - mean) / sigma;
    if (x < -0.999)
        return -ln_open(m + h);
    if (x > 0.999)
        return -ln_open(h - m);
    return -ln_bin(-fabs(m), h);
}

double dd_decoder_gradient(double *by_mean, double *by_log_variance, double x, double mean, double sigma)
{
    double h = 1.0 / 255 / sigma, m = (x - mean) / sigma, nats = dd_decoder_nats(x, mean, sigma);
    bool left = x < -0.999;
    bool right = x > 0.999;

    /* phi(a) / p and phi(b) / p, 0 at an infinite end. */
    if (left || right || h * fabs(m) > 1) {
        double at_a = left ? 0 : exp(ln_phi(m - h) + nats), at_b = right ? 0 : exp(ln_phi(m + h) + nats);
        *by_mean = (at_b - at_a) / sigma;
        *by_log_variance = 0.5 * ((m + h) * at_b - (m - h) * at_a);
    } else {
        double q = exp(ln_phi(m) - 0.5 * h * h + nats);
        *by_mean = -2 * q * sinh(h * m) / sigma;
        *by_log_variance = q * (h * cosh(h * m) - m * sinh(h * m));
    }
    return nats;
}
