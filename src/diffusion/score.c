/* score.c: the score, the gradient of ln q(x_t), as a function of eps (Vincent 2011; Song and Ermon 2019; Ho
   et al. 2020, section 3.2).

     s(x, t) = grad_x ln q_t(x) = -E[eps | x_t = x] / sqrt(1 - alpha_bar_t)

   So a network that predicts eps predicts the score.  Two losses can train it, both means over d:

     denoising score matching:   E ||s(x_t, t) - grad ln q(x_t | x0)||^2,
                                 grad ln q(x_t | x0) = -z / sqrt(1 - alpha_bar_t)
     L_simple:                   E ||eps(x_t, t) - z||^2,   which is 1 - alpha_bar_t times the former */
#include "diffusion/score.h"
#include <math.h>

void dd_score(double *s, const double *eps, double alpha_bar, size_t d)
{
    double factor = -1 / sqrt(1 - alpha_bar);
    for (size_t e = 0; e < d; e++)
        s[e] = factor * eps[e];
}

double dd_score_matching(const double *s, const double *z, double alpha_bar, size_t d)
{
    double factor = 1 / sqrt(1 - alpha_bar), sum = 0;
    for (size_t e = 0; e < d; e++) {
        double difference = s[e] + factor * z[e];
        sum += difference * difference;
    }
    return sum / (double)d;
}

double dd_score_simple(const double *eps, const double *z, size_t d)
{
    double sum = 0;
    for (size_t e = 0; e < d; e++)
        sum += (eps[e] - z[e]) * (eps[e] - z[e]);
    return sum / (double)d;
}
