/* slerp.c: spherical linear interpolation (Shoemake 1985) between two x_T, as in Song, Meng, Ermon 2021,
   appendix D.5, equation 67.  With the angle theta between a and b,

     x = sin((1 - u) theta) / sin(theta) a + sin(u theta) / sin(theta) b,   cos(theta) = <a, b> / (|a| |b|)

   N(0, I) in d dimensions lies near the sphere of radius sqrt(d).  The great circle stays on that sphere,
   where the network was trained; the straight line cuts through it and has too small a variance. */
#include "diffusion/slerp.h"
#include <math.h>

/* Below this sine a and b have almost one direction, or opposite ones.  Then no great circle is theirs alone,
   and a step on the straight line is taken. */
static const double SINE_LEAST = 1e-9;

static double dot(const double *a, const double *b, size_t d)
{
    double sum = 0;
    for (size_t e = 0; e < d; e++)
        sum += a[e] * b[e];
    return sum;
}

void dd_slerp(double *x, const double *a, const double *b, double u, size_t d)
{
    double cosine = dot(a, b, d) / (sqrt(dot(a, a, d)) * sqrt(dot(b, b, d)));
    double theta = acos(fmax(-1, fmin(1, cosine))), sine = sin(theta);
    double of_a = 1 - u, of_b = u;

    /* A vector of zeros has no direction; fmin and fmax turn its NaN into an angle of pi. */
    if (sine > SINE_LEAST) {
        of_a = sin((1 - u) * theta) / sine;
        of_b = sin(u * theta) / sine;
    }
    for (size_t e = 0; e < d; e++)
        x[e] = of_a * a[e] + of_b * b[e];
}
