/* ddpm_guidance.h: images that show more of their class.  It is a part of ddpm.h, which includes it. */
#ifndef DDPM_PART_GUIDANCE_H
#define DDPM_PART_GUIDANCE_H
#include "ddpm.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- guidance: images that show more of their class ---- */

typedef struct ddpm_guidance ddpm_guidance;

/* A classifier of noisy images.  It fills g [n, d] with the gradient of ln p(class | x_t) by x_t, at x [n, d]
   and classes [n], all at step t of the model's chain.  It returns what a ddpm_eps_fn does. */
typedef int ddpm_classifier_fn(void *user, double *g, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);

/* Options of guidance.  eps and eps_user are the network, such as ddpm_net_eps and a ddpm_net.  scale is that
   of guidance without a classifier, 0 or more; 1: there is none.  classifier, NULL: there is none, has
   classifier_user and classifier_scale, 0 or more.  batch: the most images that a call brings. */
typedef struct ddpm_guidance_options {
    ddpm_eps_fn *eps;
    void *eps_user;
    double scale;
    ddpm_classifier_fn *classifier;
    void *classifier_user;
    double classifier_scale;
    int batch;
} ddpm_guidance_options;

/* Makes guidance without a classifier (Ho and Salimans 2022), for a model with a null class; with one
   (Dhariwal and Nichol 2021), for any model; or with both.  It reads from a the shape, outputs, classes,
   null_class and, for a classifier, prediction, steps and alpha_bar, which it copies.  eps_user and
   classifier_user stay the caller's and outlive g.  ddpm_guidance_free releases g.  DDPM_EUSAGE: the model
   has no null class, or a scale or batch is out of range; DDPM_ENOMEM. */
DDPM_API int ddpm_guidance_create(ddpm_guidance **g, const ddpm_about *a, const ddpm_guidance_options *o,
                                  ddpm_error *err);
DDPM_API void ddpm_guidance_free(ddpm_guidance *g);

/* Fills out [n, m d] with the guided prediction at x [n, d], step t; classes [n] are needed.  It is the
   ddpm_eps_fn whose user is a ddpm_guidance.  The prediction is none + scale (own - none), with the network's
   predictions for no class and for the image's own class, be they eps, x0 or v; a learned variance is that of
   the own class.  The network gets both as one batch of 2 n images.  With scale 1 it runs once, for the own
   class; with scale 0 once, for no class.

   A classifier then adds to eps -classifier_scale sqrt(1 - alpha_bar_t) times its gradient (algorithm 2 of
   Dhariwal and Nichol 2021, for every sampler), and to x0 and v what that means for them.  A network that has
   no classes is called without them, and the classifier alone gets them.  DDPM_EUSAGE: n is above batch, or
   classes is NULL; otherwise the error of the network or of the classifier. */
DDPM_API int ddpm_guidance_eps(void *guidance, double *out, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);

#ifdef __cplusplus
}
#endif
#endif
