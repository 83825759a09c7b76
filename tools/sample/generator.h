/* Makes the images of a recipe, a batch at a time: network, chain and sampler in one. */
#ifndef DDPM_GENERATOR_H
#define DDPM_GENERATOR_H
#include "sample/given_noise.h"
#include "cli/options.h"
#include "sample/time_budget.h"
#include "cli/progress.h"
#include "sample/recipe.h"
#include "sample/start_image.h"

struct generator;

/* A batch stopped between two steps.  All of it lives in one block, owned. */
struct saved_batch {
    int n;          /* images */
    int taken;      /* steps behind them */
    size_t buffers; /* of the sampler's state */
    size_t frames, d;
    uint32_t *index; /* [n] */
    double *state;   /* [buffers, n, d], the sampler's whole state */
    double *frame;   /* [n, frames, d], the states to show so far */
};

/* Makes room for n images. */
int saved_batch_create(struct saved_batch *f, const struct generator *s, int n, ddpm_error *err);
void saved_batch_free(struct saved_batch *f);

struct generator {
    const struct command *command;
    const struct common *common;
    const ddpm_about *about;
    ddpm_net *net;
    ddpm_chain *chain;
    ddpm_sampler *sampler;
    char *steps;       /* the chain as a list */
    char warning[256]; /* the sampler's, or "" */

    struct given_noise noise;
    bool has_noise;
    struct start_image from; /* x NULL: from noise */
    int top;                 /* the chain position that sampling starts at */
    bool encode;             /* the ODE carries the given image up to top */

    int batch, frames, class;
    uint64_t seed;
    size_t d;
    double *frame;    /* [batch, frames, d] */
    double *start;    /* [batch, d] */
    int32_t *classes; /* [batch] */
    bool *told;       /* [batch], that an image is lost */

    const uint32_t *index; /* [rows] of the batch under way */
    int rows, taken;       /* its images, 0: there is none; the steps that it has behind it */
    int lost;              /* images that became NaN, of all batches */

    struct time_budget *time_budget; /* NULL: any time */
    struct progress *progress;       /* the caller's bar, NULL: one of its own for each run */
    double done;                     /* what that bar has behind it */
};

/* A generator is made of these, beside a recipe. */
struct generator_options {
    const ddpm_model *model;
    const struct command *command;
    const struct common *common;
    int batch;
    const char *noise_path; /* of given noise (given_noise.h), or NULL */
    const char *from_path;  /* of an image to start from, or NULL */
    uint32_t last;          /* the largest index that will be asked for */
};

/* Takes an image at its place in the list that was asked for.  frame [frames, d]; lost: 1 + the chain
   position at which it was lost, or 0. */
typedef int generator_image_fn(void *user, int place, const double *frame, int lost, double seconds,
                               ddpm_error *err);

/* Opens everything that can fail.  Completes r: model, engine_class, variance, steps, noise, from, which
   live as long as the generator. */
int generator_open(struct generator *s, struct recipe *r, const struct generator_options *o, ddpm_error *err);
/* Lets runs stop when p says so, from now on.  The first step is tried with a single image before, and thrown
   away. */
int generator_time_budget(struct generator *s, struct time_budget *p, ddpm_error *err);
/* Measures the seconds of a step of n <= batch images at the top of the chain.  The step is thrown away. */
int generator_try(struct generator *s, int n, double *seconds, ddpm_error *err);
/* Makes the images index [n], in order.  A lost image is reported on stderr and does not end the run.
   TRY_LATER: interrupted, or out of time. */
int generator_run(struct generator *s, const uint32_t *index, int n, generator_image_fn *image, void *user,
                  ddpm_error *err);
/* Makes the images of f in the same way, from where they are. */
int generator_resume(struct generator *s, const struct saved_batch *f, generator_image_fn *image, void *user,
                     ddpm_error *err);
/* Copies into f, which has room for a batch, what was under way when a run was interrupted, without the
   images that are lost.  f->n is 0 when there is nothing worth keeping. */
void generator_saved_batch(const struct generator *s, struct saved_batch *f);
void generator_close(struct generator *s);
#endif
