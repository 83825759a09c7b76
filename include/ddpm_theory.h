/* ddpm_theory.h: bounds, formulas, stochastic differential equations.  It is a part of ddpm.h, which includes
   it. */
#ifndef DDPM_PART_THEORY_H
#define DDPM_PART_THEORY_H
#include "ddpm.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- bounds: how many bits an image costs under a chain ---- */

typedef struct ddpm_bound ddpm_bound;

/* The bound of one image in bits per dimension (Ho et al. 2020, equation 5): total = prior (L_T) + the sum
   of term [K], whose term[0] is L_0.  lost is 0, or 1 + the chain position at which the image was lost.
   With each term come, [K] each: the mean squared errors of eps (mse_eps) and of the clipped x0 (mse_x0),
   and the mean square (gamma) and mean squared error (mse) of the network's own eps. */
typedef struct ddpm_bound_image {
    int lost;
    double total, prior;
    const double *term, *mse_eps, *mse_x0, *gamma, *mse;
} ddpm_bound_image;

/* Makes a bound, as ddpm_sampler_create makes a sampler.  It ignores the options' sampler, eta, order and
   corrector.  noise NULL: noise of the seed, but with other numbers than in sampling. */
DDPM_API int ddpm_bound_create(ddpm_bound **b, const ddpm_chain *c, const ddpm_sampler_options *o, size_t d,
                               int batch, char *warning, ddpm_error *err);
DDPM_API void ddpm_bound_free(ddpm_bound *b);

/* Begins n <= batch images x0 [n, d] with index [n], and classes [n] or NULL. */
DDPM_API int ddpm_bound_start(ddpm_bound *b, const double *x0, const uint32_t *index, const int32_t *classes,
                              int n, ddpm_error *err);

/* Measures one term for every image.  The errors are those of ddpm_sampler_step. */
DDPM_API int ddpm_bound_step(ddpm_bound *b, ddpm_error *err);

/* Return how many terms are still to be measured, and the variance that the name stands for. */
DDPM_API int ddpm_bound_left(const ddpm_bound *b);
DDPM_API const char *ddpm_bound_variance(const ddpm_bound *b);

/* Returns the bound of the image in this row, which is complete when no term is left.  It lives until the
   next start. */
DDPM_API const ddpm_bound_image *ddpm_bound_read(ddpm_bound *b, int row);

/* ---- formulas: x [d]; outputs may be inputs ---- */

/* Fills xt = sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) z, the jump from x0 (Ho et al. 2020, equation 4).
   With alpha_t in the place of alpha_bar it is one step from x_{t-1} (equation 2). */
DDPM_API void ddpm_diffuse(double *xt, const double *x0, const double *z, double alpha_bar, size_t d);

/* Fills x0 from the prediction p (DDPM_EPS...), clipped to +-clip unless clip is 0.  x0 is NaN where p is. */
DDPM_API void ddpm_x0(double *x0, const double *xt, const double *p, int prediction, double clip,
                      double alpha_bar, size_t d);

/* Fills eps with the noise that leads from x0 to xt. */
DDPM_API void ddpm_eps(double *eps, const double *xt, const double *x0, double alpha_bar, size_t d);

/* Fills s with the score, -eps / sqrt(1 - alpha_bar). */
DDPM_API void ddpm_score(double *s, const double *eps, double alpha_bar, size_t d);

/* Returns the loss of denoising score matching, the mean of (s + z / sqrt(1 - alpha_bar))^2 (Vincent
   2011). */
DDPM_API double ddpm_score_matching(const double *s, const double *z, double alpha_bar, size_t d);

/* Returns L_simple, the mean of (eps - z)^2 (Ho et al. 2020, equation 14), which is 1 - alpha_bar times the
   loss above. */
DDPM_API double ddpm_l_simple(const double *eps, const double *z, size_t d);

/* Fills x with the point at the part u, 0 to 1, of the way from a to b on the great circle through them; x
   may be neither.  Between two x_T all points are as likely as noise, and a sampler that draws none makes
   images of them that change little by little (Song, Meng, Ermon 2021, appendix D.5).  x is a to the bit at
   u = 0, and b at u = 1.  If a and b have one direction or opposite ones, x lies on the straight line. */
DDPM_API void ddpm_slerp(double *x, const double *a, const double *b, double u, size_t d);

/* ---- stochastic differential equations and Langevin dynamics, of any process: x [d], all in double ---- */

/* The equation dx = f(x, t) dt + g(t) dW (Song et al. 2021, equation 5).  Each function is given user.
   drift fills f [d]; diffusion returns g.  score fills s [d] with grad ln p_t(x) and returns 0; if it is
   NULL, the equation goes onward only. */
typedef struct ddpm_sde {
    void (*drift)(void *user, double *f, const double *x, double t, size_t d);
    double (*diffusion)(void *user, double t);
    int (*score)(void *user, double *s, const double *x, double t, size_t d, ddpm_error *err);
    void *user;
} ddpm_sde;

/* Moves x by one Euler-Maruyama step of length h from t; h < 0 is the reverse process (equation 6).  z [d]
   ~ N(0, I), or NULL for the mean; work [2, d].  DDPM_EUSAGE: a reverse step without a score;
   DDPM_ECALLBACK: the score failed. */
DDPM_API int ddpm_sde_step(const ddpm_sde *p, double *x, const double *z, double t, double h, double *work,
                           size_t d, ddpm_error *err);

/* Moves x by one step of the probability-flow ODE (equation 13), with h of either sign; order 1 is Euler, 2
   Heun.  work [3, d].  DDPM_EUSAGE: there is no score; DDPM_ECALLBACK: the score failed. */
DDPM_API int ddpm_ode_step(const ddpm_sde *p, double *x, double t, double h, int order, double *work,
                           size_t d, ddpm_error *err);

/* Langevin dynamics: x <- x + delta/2 gradient + sqrt(delta) z, with delta = a (b + step)^-gamma (Welling
   and Teh 2011, equation 4). */
typedef struct ddpm_langevin {
    /* Fills g [d] with the gradient of ln p, or its estimate from a minibatch, and returns 0. */
    int (*gradient)(void *user, double *g, const double *x, int64_t step, size_t d, ddpm_error *err);
    void *user;
    double a, b, gamma; /* a > 0; gamma is 0 for a constant step, else 1/2 < gamma <= 1 */
    uint64_t seed;      /* the seed of the noise */
    uint32_t index;
    ddpm_noise_fn *noise; /* NULL: ddpm_noise, with t = step modulo 2^16 and draw = step / 2^16 */
    void *noise_user;
} ddpm_langevin;

/* Takes x [d] through the steps first, ..., first + steps - 1, which lie below 2^40; work [2, d].
   DDPM_EUSAGE; DDPM_ECALLBACK: the gradient returned non-zero, which ends the run. */
DDPM_API int ddpm_langevin_run(const ddpm_langevin *l, double *x, double *work, size_t d, int64_t first,
                               int64_t steps, ddpm_error *err);

#ifdef __cplusplus
}
#endif
#endif
