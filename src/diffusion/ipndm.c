/* ipndm.c: the sampler "ipndm", the improved PNDM of Zhang and Chen (2022, arXiv 2204.13902; PNDM: Liu et al.
   2022), on any chain.

   The probability-flow ODE is dy/du = eps in y = x / alpha and u = sigma / alpha, with alpha =
   sqrt(alpha_bar) and sigma = sqrt(1 - alpha_bar), see ode.c.  Let e0, e1, e2, e3 be eps at positions
   i, i + 1, i + 2, i + 3.  The step from position i to i - 1 is

     y_{i-1} = y_i + (u_{i-1} - u_i) g

     order 1:  g = e0
     order 2:  g = (3 e0 - e1) / 2
     order 3:  g = (23 e0 - 16 e1 + 5 e2) / 12
     order 4:  g = (55 e0 - 59 e1 + 37 e2 - 9 e3) / 24

   These are the coefficients of Adams and Bashforth for even steps, whatever the steps are.  So on
   uneven steps the orders 3 and 4 converge no faster than order 2, but with few steps they come nearer.
   Coefficients that follow the steps (diffusers' DEIS) were measured and come less near, see
   bench/decisions.md.

   m0 is the clipped x0 at position i.  eps stays the network's own, as in "ddim-diffusers", which is order 1
   with eta = 0: an error of the network near t = T then harms less than if eps were derived from m0 (ddim.c).
   The step is computed as

     x_{i-1} = alpha_{i-1} m0 + sigma_{i-1} e0 + (sigma_{i-1} - alpha_{i-1} u_i) (g - e0)

   which exists at alpha_i = 0, too.  A step that knows fewer earlier eps takes the order that they
   allow.  The last step, to sigma = 0, has order 1 and returns m0.  (diffusers' IPNDMScheduler takes
   the full order there.) */
#include "diffusion/sampler.h"
#include <math.h>
#include <string.h>

/* The buffers at position i: X is x_i, and the others are e1, e2 and e3. */
enum { X, E1, E2, E3, BUFFERS };

/* The highest order. */
enum { HIGHEST = 4 };

/* The factors of g - e0 before e0, e1, e2, e3 in each order, times 24. */
static const double extra[HIGHEST][HIGHEST] = {
    { 0 },
    { 12, -12 },
    { 22, -32, 10 },
    { 31, -59, 37, -9 },
};

/* Returns the order of the step from position i, e [HIGHEST] as for move. */
static int order_of(const ddpm_sampler *s, const double *const *e, int i)
{
    int order = 1;
    while (i && order < s->options.order && !isnan(e[order][0]))
        order++;
    return order;
}

/* Takes x [d] from position i to i - 1.  m0 [d] is x0, and e holds e0, ..., e3, each [d] and NAN if it is not
   known.  m0 and e0 do not overlap x. */
static void move(const ddpm_sampler *s, double *x, const double *m0, const double *const *e, int i)
{
    double here = s->tables->alpha_bar[i], to = i ? s->tables->alpha_bar[i - 1] : 1;
    double of_m = sqrt(to), of_e = sqrt(1 - to), of_more = (of_e - of_m * sqrt((1 - here) / here)) / 24;
    int order = order_of(s, e, i);
    const double *w = extra[order - 1];

    for (size_t j = 0; j < s->d; j++) {
        x[j] = of_m * m0[j] + of_e * e[0][j];
        if (order == 1)
            continue;

        double more = 0;
        for (int n = 0; n < order; n++)
            more += w[n] * e[n][j];
        x[j] += of_more * more;
    }
}

static int step(ddpm_sampler *s, int i, ddpm_error *err)
{
    int code = dd_sampler_predict(s, X, i, err);

    for (int k = 0; !code && k < s->live; k++) {
        double *x = dd_sampler_row(s, X, k), *e0 = s->z;
        double *e1 = dd_sampler_row(s, E1, k), *e2 = dd_sampler_row(s, E2, k), *e3 = dd_sampler_row(s, E3, k);

        /* No step draws noise, so s->z is free for e0. */
        const double *m0 = dd_sampler_x0(s, x, k, i);
        dd_sampler_eps(s, e0, x, k, i);
        move(s, x, m0, (const double *const[]){ e0, e1, e2, e3 }, i);

        memcpy(e3, e2, s->d * sizeof *e3);
        memcpy(e2, e1, s->d * sizeof *e2);
        memcpy(e1, e0, s->d * sizeof *e1);
    }
    return code;
}

const struct dd_sampler_kind dd_ipndm = {
    .traits = { .order = 3, .highest_order = HIGHEST, .corrector = -1 },
    .buffers = BUFFERS,
    .step = step,
};
