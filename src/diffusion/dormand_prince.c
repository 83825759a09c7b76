/* dormand_prince.c: the pair of orders 5 and 4 of Dormand and Prince (1980), as in Hairer, Norsett, Wanner,
   "Solving Ordinary Differential Equations I", table II.5.2.

     k_i = f(x + h sum_j a_ij k_j, t + c_i h)
     x'  = x + h sum_i b_i k_i          order 5; b is the last row of a, so k_6 is the next step's k_0
     x^  = x + h sum_i b^_i k_i         order 4
     error = x' - x^ = h sum_i (b_i - b^_i) k_i

   The next step is 0.9 (tolerance / error)^(1/5) times as long, but at most 5 and at least 0.2 times. */
#include "diffusion/dormand_prince.h"
#include <math.h>

enum { STAGES = DD_DORMAND_PRINCE_STAGES };

static const double place[STAGES] = { 0, 1. / 5, 3. / 10, 4. / 5, 8. / 9, 1, 1 };

static const double weight[STAGES][STAGES] = {
    { 0 },
    { 1. / 5 },
    { 3. / 40, 9. / 40 },
    { 44. / 45, -56. / 15, 32. / 9 },
    { 19372. / 6561, -25360. / 2187, 64448. / 6561, -212. / 729 },
    { 9017. / 3168, -355. / 33, 46732. / 5247, 49. / 176, -5103. / 18656 },
    { 35. / 384, 0, 500. / 1113, 125. / 192, -2187. / 6784, 11. / 84 },
};

/* b - b^ */
static const double difference[STAGES] = {
    71. / 57600, 0, -71. / 16695, 71. / 1920, -17253. / 339200, 22. / 525, -1. / 40,
};

double dd_dormand_prince_place(int stage)
{
    return place[stage];
}

void dd_dormand_prince_state(double *y, const double *x, const double *k, double h, int stage, size_t d)
{
    for (size_t e = 0; e < d; e++) {
        double sum = 0;
        for (int j = 0; j < stage; j++)
            sum += weight[stage][j] * k[(size_t)j * d + e];
        y[e] = x[e] + h * sum;
    }
}

double dd_dormand_prince_error(const double *k, double h, size_t e, size_t d)
{
    double sum = 0;
    for (int j = 0; j < STAGES; j++)
        sum += difference[j] * k[(size_t)j * d + e];
    return h * sum;
}

double dd_dormand_prince_factor(double error)
{
    double factor = error > 0 ? 0.9 * pow(error, -0.2) : 5;
    return fmin(5, fmax(0.2, factor));
}
