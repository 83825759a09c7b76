/* For a whole number n of degrees of freedom, the probability that Student's variable lies between -t and t
   has a closed form (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4).  With theta = atan(t / sqrt n) and c =
   cos theta it is

     n odd     2/pi (theta + sin theta (c + 2/3 c^3 + 2 4 / (3 5) c^5 + ... to c^(n-2)))
     n even    sin theta (1 + 1/2 c^2 + 1 3 / (2 4) c^4 + ... to c^(n-2))

   It grows with theta, so the quantile is found by halving an interval of theta until no number is left
   between its ends.  Above 1000 degrees of freedom an expansion in 1/n is used (26.7.5); the first term that
   is left out is below 1e-14 there. */
#include "measure/student.h"
#include <math.h>

static const double pi = 3.14159265358979323846, inside = 0.95;

enum { SUMMED = 1000 };

/* Returns the probability between -t and t for t = sqrt(n) tan theta. */
static double probability(double theta, size_t n)
{
    double c = cos(theta), term = n % 2 ? c : 1, sum = 0;

    for (size_t k = n % 2; k + 2 <= n && term > 0x1p-60 * sum; k += 2) {
        sum += term;
        term *= c * c * (double)(k + 1) / (double)(k + 2);
    }
    return n % 2 ? 2 / pi * (theta + sin(theta) * sum) : sin(theta) * sum;
}

/* Returns Student's quantile by the expansion around the normal quantile z. */
static double expand(double z, double n)
{
    double s = z * z;
    double g1 = (s + 1) / 4, g2 = ((5 * s + 16) * s + 3) / 96, g3 = (((3 * s + 19) * s + 17) * s - 15) / 384;
    double g4 = ((((79 * s + 776) * s + 1482) * s - 1920) * s - 945) / 92160;
    return z * (1 + (g1 + (g2 + (g3 + g4 / n) / n) / n) / n);
}

double student_quantile(size_t n)
{
    if (n > SUMMED)
        return expand(normal_quantile(), (double)n);
    double low = 0, high = pi / 2, middle = pi / 4;
    while (low < middle && middle < high) {
        if (probability(middle, n) < inside)
            low = middle;
        else
            high = middle;
        middle = low + (high - low) / 2;
    }
    return sqrt((double)n) * tan(middle);
}

double normal_quantile(void)
{
    return 1.95996398454005423552;
}
