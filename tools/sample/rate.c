/* A step of the sampler sde has the length beta(t) dt (Song et al. 2021, equation 11).  Unless it is told
   another, that is ln(alpha_bar_{i-1} / alpha_bar_i), which is exact.  --rate tells it:

     beta       beta_i of the chain, as the discretisation of the paper has it (its equation 10, from beta_i =
                beta(t) dt)
     A,B,...    a number for each step, in the order of the chain: the first is that of the step taken last */
#include "sample/rate.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

/* Reads a list of K numbers.  Returns how many there are: K + 1 if there are more, -1 if one is no positive
   number. */
static int read_list(double *rate, const char *text, int K)
{
    int n = 0;
    for (char *end; *text; text = *end ? end + 1 : end) {
        double v = strtod(text, &end);
        if (end == text || (*end && *end != ',') || (*end && !end[1]) || !(v > 0 && isfinite(v)))
            return -1;
        if (n == K)
            return K + 1;
        rate[n++] = v;
    }
    return n;
}

int rate_read(double **rate, const char *text, const ddpm_chain *chain, ddpm_error *err)
{
    const ddpm_tables *t = ddpm_chain_tables(chain);
    int K = t->K;
    double *made = *rate = calloc((size_t)K, sizeof *made);
    if (!made)
        return dd_error_memory(err, "--rate");
    if (!strcmp(text, "beta")) {
        memcpy(made, t->beta, (size_t)K * sizeof *made);
        return DDPM_OK;
    }

    int n = read_list(made, text, K);
    if (n == K)
        return DDPM_OK;
    if (n < 0)
        return dd_error(err, DDPM_EUSAGE,
                        "--rate %.40s: expected beta, or positive numbers with commas between them", text);
    if (n > K)
        return dd_error(err, DDPM_EUSAGE, "--rate: expected one value for each of %d steps, found more", K);
    return dd_error(err, DDPM_EUSAGE, "--rate: expected one value for each of %d steps, found %d", K, n);
}
