/* Makes the images of a recipe, a batch at a time: network, chain and sampler in one. */
#ifndef DDPM_STUDIO_H
#define DDPM_STUDIO_H
#include "given_noise.h"
#include "options.h"
#include "progress.h"
#include "recipe.h"
#include "start_image.h"

struct studio {
    const struct command *command; const struct common *common;
    ddpm_net *net; ddpm_chain *chain; ddpm_sampler *sampler;
    const ddpm_about *about;
    struct given_noise noise; bool has_noise;
    struct start_image from;                     /* x NULL: from noise */
    int top; bool encode;                        /* chain position that sampling starts at; reached by the ODE from the image */
    int batch, frames, label, lost;              /* lost: images that became NaN */
    uint64_t seed;
    size_t d;
    double *frame;                               /* [batch, frames, d] */
    double *start;                               /* [batch, d] */
    int32_t *y;                                  /* [batch] */
    bool *told;                                  /* [batch] of lost images */
    char *steps;                                 /* the chain as a list */
    char warning[256];                           /* the sampler's, or "" */
};
/* An image at its place in the order that was asked for: frame [frames, d]; lost: 1 + the chain position at which it was, or 0. */
typedef int studio_image_fn(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err);

/* Everything that can fail.  Completes r: model, engine_class, variance, steps, noise, which live as long as the studio.
   noise_path and from_path may be NULL; last is the largest index. */
int  studio_open(struct studio *s, struct recipe *r, const ddpm_model *m, const struct command *command, const struct common *common,
                 int batch, const char *noise_path, const char *from_path, uint32_t last, ddpm_error *err);
/* Images index [n], in order; a lost image is reported on stderr and does not end the run. */
int  studio_run(struct studio *s, const uint32_t *index, int n, studio_image_fn *image, void *user, ddpm_error *err);
void studio_close(struct studio *s);
#endif
