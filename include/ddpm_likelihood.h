/* ddpm_likelihood.h: the likelihood of an image by the probability-flow ODE.  It is a part of ddpm.h, which
   includes it. */
#ifndef DDPM_PART_LIKELIHOOD_H
#define DDPM_PART_LIKELIHOOD_H
#include "ddpm.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- networks with a derivative by their input ---- */

/* A network with its vector-Jacobian product.  Fills p [n, d] with the prediction (DDPM_EPS...) at x [n, d],
   steps t [n] and classes [n] or NULL, and product [n, d] with J^T w for w [n, d], where J is the derivative
   of an image's prediction by its x.  It returns what a ddpm_eps_fn does. */
typedef int ddpm_vjp_fn(void *user, double *p, double *product, const double *x, const double *t,
                        const double *w, const int32_t *classes, int n, ddpm_error *err);

/* A network of a model that computes such products.  It takes the memory of a network in training. */
typedef struct ddpm_vjp ddpm_vjp;

/* Makes the network from the model; o may be NULL.  The network copies what it needs.  The errors are those
   of ddpm_net_create. */
DDPM_API int ddpm_vjp_create(ddpm_vjp **v, const ddpm_model *m, const ddpm_net_options *o, ddpm_error *err);
DDPM_API void ddpm_vjp_free(ddpm_vjp *v);

/* The ddpm_vjp_fn of a ddpm_vjp, which is given as user.  It goes forward and backward once for each image,
   and computes no gradients by weights.  It scales t and converts to float and back.  DDPM_EUSAGE: a class is
   out of range; DDPM_ENAN: the numbers of an image are not finite. */
DDPM_API int ddpm_vjp_run(void *vjp, double *p, double *product, const double *x, const double *t,
                          const double *w, const int32_t *classes, int n, ddpm_error *err);

/* Returns the network's description, which lives as long as the network. */
DDPM_API const ddpm_net_about *ddpm_vjp_describe(const ddpm_vjp *v);

/* ---- likelihoods: the density of an image (Song et al. 2021, section 4.3) ---- */

typedef struct ddpm_likelihood ddpm_likelihood;

/* The random directions of Hutchinson's estimate of a trace: elements -1 or 1, or N(0, 1). */
enum { DDPM_RADEMACHER, DDPM_GAUSSIAN };

/* Options of a likelihood.  Begin with ddpm_likelihood_defaults, then set vjp.

   levels: an image has this many grey levels from -1 to 1, and uniform noise as wide as a level is added
   (uniform dequantisation); 0: x0 is a real vector, whose density is measured.  steps: how many steps of
   equal length in ln(alpha_bar / (1 - alpha_bar)), each with 6 calls; 0: as many as the tolerance asks for.
   tolerance: the largest error of a step, of x and of the nats per dimension, 1e-7 to 0.1.  probe:
   DDPM_RADEMACHER or DDPM_GAUSSIAN. */
typedef struct ddpm_likelihood_options {
    int prediction, levels, steps, probe;
    double tolerance;
    uint64_t seed;
    ddpm_vjp_fn *vjp;
    void *vjp_user;
} ddpm_likelihood_options;

/* The likelihood of one image in bits per dimension: total = prior + change + dequantisation.  prior is that
   of x_T under N(0, I), change that of the way there, dequantisation the log2 of levels per unit, (levels -
   1) / 2.  lost is 0 or 1.  calls says how often the network was called. */
typedef struct ddpm_likelihood_image {
    int lost, calls;
    double total, prior, change, dequantisation;
} ddpm_likelihood_image;

/* Fills *o with 256 levels, tolerance 1e-4, Rademacher probes, seed 0, and the model's prediction. */
DDPM_API void ddpm_likelihood_defaults(ddpm_likelihood_options *o, const ddpm_about *a);

/* Makes a likelihood for up to `batch` images of d elements.  The ODE goes from the first step of c to the
   last one; between two of them ln(alpha_bar / (1 - alpha_bar)) is linear in t.  It is for the chain of all
   steps.  DDPM_EUSAGE, DDPM_ENOMEM; DDPM_EDATA: alpha_bar of the last step is 0, or there is one step. */
DDPM_API int ddpm_likelihood_create(ddpm_likelihood **l, const ddpm_chain *c,
                                    const ddpm_likelihood_options *o, size_t d, int batch, ddpm_error *err);
DDPM_API void ddpm_likelihood_free(ddpm_likelihood *l);

/* Begins n <= batch images x0 [n, d] with index [n], and classes [n] or NULL.  An image depends on its index,
   never on the others of its batch. */
DDPM_API int ddpm_likelihood_start(ddpm_likelihood *l, const double *x0, const uint32_t *index,
                                   const int32_t *classes, int n, ddpm_error *err);

/* Takes a step with each image that is still on its way; with a tolerance it may be refused and be tried
   again shorter by the next call.  The errors are those of ddpm_sampler_step. */
DDPM_API int ddpm_likelihood_step(ddpm_likelihood *l, ddpm_error *err);

/* Returns the part of the way that is still to go, between 1 and 0, as a mean over images; 0: all are done.
   */
DDPM_API double ddpm_likelihood_left(const ddpm_likelihood *l);

/* Returns the likelihood of the image in this row, which is complete when nothing is left.  It lives until
   the next start. */
DDPM_API const ddpm_likelihood_image *ddpm_likelihood_read(const ddpm_likelihood *l, int row);

#ifdef __cplusplus
}
#endif
#endif
