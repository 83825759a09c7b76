/* ddpm_guidance.h: images that show more of their class.  It is a part of ddpm.h, which includes it. */
#ifndef DDPM_PART_GUIDANCE_H
#define DDPM_PART_GUIDANCE_H
#include "ddpm.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- guidance: images that show more of their class ---- */

typedef struct ddpm_guidance ddpm_guidance;

/* Options of guidance.  eps and eps_user are the network, such as ddpm_net_eps and a ddpm_net.  scale is 0 or
   more; 1: there is no guidance.  batch: the most images that a call brings. */
typedef struct ddpm_guidance_options {
    ddpm_eps_fn *eps;
    void *eps_user;
    double scale;
    int batch;
} ddpm_guidance_options;

/* Makes guidance without a classifier (Ho and Salimans 2022), for a model with a null class.  It reads from a
   the shape, outputs, classes and null_class.  eps_user stays the caller's and outlives g.
   ddpm_guidance_free releases g.  DDPM_EUSAGE: the model has no null class, or scale or batch is out of
   range; DDPM_ENOMEM. */
DDPM_API int ddpm_guidance_create(ddpm_guidance **g, const ddpm_about *a, const ddpm_guidance_options *o,
                                  ddpm_error *err);
DDPM_API void ddpm_guidance_free(ddpm_guidance *g);

/* Fills out [n, m d] with the guided prediction at x [n, d], step t; classes [n] are needed.  It is the
   ddpm_eps_fn whose user is a ddpm_guidance.  The prediction is none + scale (own - none), with the network's
   predictions for no class and for the image's own class, be they eps, x0 or v; a learned variance is that of
   the own class.  The network gets both as one batch of 2 n images.  With scale 1 it runs once, for the own
   class; with scale 0 once, for no class.  DDPM_EUSAGE: n is above batch, or classes is NULL; otherwise the
   error of the network. */
DDPM_API int ddpm_guidance_eps(void *guidance, double *out, const double *x, double t, const int32_t *classes,
                               int n, ddpm_error *err);

/* A classifier of noisy images (Dhariwal and Nichol 2021), from a model whose ddpm_about.classifier is 1.  It
   guides a sampler, whose options name it: classifier = ddpm_classifier_gradient and classifier_user = the
   ddpm_classifier. */
typedef struct ddpm_classifier ddpm_classifier;

/* Makes a classifier from m, which may be closed afterwards, for samplers of the model `of`.  o is as for
   ddpm_net_create.  DDPM_EUSAGE: m is no classifier; or it does not fit `of`: it knows images of another
   size, another number of classes, or another noise schedule.  DDPM_ENOMEM, DDPM_EUNSUPPORTED. */
DDPM_API int ddpm_classifier_create(ddpm_classifier **c, const ddpm_model *m, const ddpm_about *of,
                                    const ddpm_net_options *o, ddpm_error *err);
DDPM_API void ddpm_classifier_free(ddpm_classifier *c);
/* Returns the description of its network, forward and backward, which lives as long as c. */
DDPM_API const ddpm_net_about *ddpm_classifier_describe(const ddpm_classifier *c);

/* Fills g [n, d] with the gradient of ln p(class | x_t) by x_t, at x [n, d] and classes [n], all at step t of
   the chain.  It is the ddpm_classifier_fn whose user is a ddpm_classifier.  DDPM_EUSAGE: a class is out of
   range.  DDPM_ENAN: the gradient of an image is not finite; the others are right. */
DDPM_API int ddpm_classifier_gradient(void *classifier, double *g, const double *x, double t,
                                      const int32_t *classes, int n, ddpm_error *err);

#ifdef __cplusplus
}
#endif
#endif
