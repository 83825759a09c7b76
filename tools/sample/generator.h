/* Makes the images of a recipe, a batch at a time: network, chain and sampler in one. */
#ifndef DDPM_GENERATOR_H
#define DDPM_GENERATOR_H
#include "sample/given_noise.h"
#include "cli/options.h"
#include "sample/time_budget.h"
#include "cli/progress.h"
#include "sample/recipe.h"
#include "sample/start_image.h"

/* A batch stopped between two steps: images index [n] after the steps taken, the sampler's whole state
   [buffers, n, d], and the states to show so far, frame [n, frames, d].   All of it lives in one block,
   owned. */
struct saved_batch {
    int n, taken;
    size_t buffers, frames, d;
    uint32_t *index;
    double *state, *frame;
};

void saved_batch_free(struct saved_batch *f);

struct generator {
    const struct command *command;
    const struct common *common;
    ddpm_net *net;
    ddpm_chain *chain;
    ddpm_sampler *sampler;
    const ddpm_about *about;
    struct given_noise noise;
    bool has_noise;
    struct start_image from; /* x NULL: from noise */
    int top;
    bool encode; /* chain position that sampling starts at; reached by the ODE from the image */
    int batch, frames, class, lost; /* lost: images that became NaN */
    uint64_t seed;
    size_t d;
    double *frame; /* [batch, frames, d] */
    double *start; /* [batch, d] */
    const uint32_t *index;
    int rows, taken;                 /* the batch under way, 0 rows: none; steps that it has behind it */
    int32_t *classes;                /* [batch] */
    bool *told;                      /* [batch] of lost images */
    char *steps;                     /* the chain as a list */
    char warning[256];               /* the sampler's, or "" */
    struct time_budget *time_budget; /* NULL: any time */
    struct progress *progress;
    double done; /* the caller's bar and what it has behind it; NULL: one of its own for each run */
};

/* An image at its place in the list that was asked for: frame [frames, d]; lost: 1 + the chain position at
   which it was, or 0. */
typedef int generator_image_fn(void *user, int place, const double *frame, int lost, double seconds,
                               ddpm_error *err);

/* Everything that can fail.   Completes r: model, engine_class, variance, steps, noise, which live as long
   as the generator. noise_path and from_path may be NULL; last is the largest index. */
int generator_open(struct generator *s, struct recipe *r, const ddpm_model *m, const struct command *command,
                   const struct common *common, int batch, const char *noise_path, const char *from_path,
                   uint32_t last, ddpm_error *err);
/* From now on a run stops when p says so; the first step is tried with a single image before, and thrown
   away. */
int generator_time_budget(struct generator *s, struct time_budget *p, ddpm_error *err);
/* *seconds of a step of n <= batch images at the top of the chain, which is thrown away. */
int generator_try(struct generator *s, int n, double *seconds, ddpm_error *err);
/* Images index [n], in order; a lost image is reported on stderr and does not end the run.   TRY_LATER:
   interrupted, or out of time. */
int generator_run(struct generator *s, const uint32_t *index, int n, generator_image_fn *image, void *user,
                  ddpm_error *err);
/* The same for the images of f, from where they are. */
int generator_resume(struct generator *s, const struct saved_batch *f, generator_image_fn *image, void *user,
                     ddpm_error *err);
/* Room for n images. */
int saved_batch_create(struct saved_batch *f, const struct generator *s, int n, ddpm_error *err);
/* Into f, which has room for a batch, what was under way when a run was interrupted, without the images
   that are lost; f->n is 0 when there is nothing worth keeping. */
void generator_saved_batch(const struct generator *s, struct saved_batch *f);
void generator_close(struct generator *s);
#endif
