/* A generator joins network, chain and sampler and makes the images of a recipe, a batch at a time. */
#ifndef DDPM_GENERATOR_H
#define DDPM_GENERATOR_H
#include "sample/between.h"
#include "sample/given_noise.h"
#include "cli/options.h"
#include "sample/time_budget.h"
#include "cli/progress.h"
#include "sample/mask.h"
#include "sample/recipe.h"
#include "sample/start_image.h"

struct generator;

/* A batch stopped between two steps.  state, frame and index share one owned block. */
struct saved_batch {
    int n;            /* images */
    int taken;        /* steps that were taken */
    size_t buffers;   /* buffers in the sampler's state */
    size_t frames, d; /* states to show of each image; values of an image */
    uint32_t *index;  /* [n] */
    double *state;    /* [buffers, n, d], the sampler's whole state */
    double *frame;    /* [n, frames, d], the states to show that were reached so far */
};

/* Allocates room for n images.  DDPM_ENOMEM is the only error; saved_batch_free releases. */
int saved_batch_create(struct saved_batch *f, const struct generator *s, int n, ddpm_error *err);
void saved_batch_free(struct saved_batch *f);

struct generator {
    const struct command *command;
    const struct common *common;
    const ddpm_about *about;
    ddpm_net *net;
    ddpm_guidance *guidance;     /* NULL: the network is not guided without a classifier */
    ddpm_classifier *classifier; /* NULL: no classifier guides the steps */
    int classes_known;           /* classes of the classifier or else of the model; 0: images have none */
    ddpm_chain *chain;
    ddpm_sampler *sampler;
    char *steps;       /* the chain's steps as a list, "0,20,41" */
    double *rate;      /* the steps' lengths of the sampler sde (rate.h), or NULL */
    char warning[256]; /* a warning from the sampler, or "" */

    struct given_noise noise;
    bool has_noise;
    struct start_image from; /* from.count 0: sampling starts with noise */
    bool noised;             /* it starts with the images of `from`, noised; otherwise with noise alone */
    struct mask mask;        /* mask.anew NULL: nothing is kept of them */
    int resample, jump;      /* how an inpainting goes back */
    double *known;           /* [batch, d], what is kept of the batch under way (ddpm_keep) */
    int top;                 /* the chain position at which sampling starts */
    bool encode;             /* the ODE carries the given image up to top */
    struct between between;  /* between.frames 0: sampling does not go along a way between two images */

    int batch, frames, class; /* images at a time, states to show of each, class or CLASS_... */
    const int *class_list;    /* [class_count] those of CLASS_LIST */
    int class_count;
    uint64_t seed;
    size_t d;         /* values of an image */
    double *frame;    /* [batch, frames, d], the states to show */
    double *start;    /* [batch, d], the given image at its step */
    int32_t *classes; /* [batch] */
    bool *told;       /* [batch], whether an image was named as lost */

    const uint32_t *index; /* [rows], the images of the batch under way */
    int rows;              /* 0: no batch is under way */
    int taken;             /* steps that the batch has behind it */
    int lost;              /* images of all batches that became NaN */
    int64_t calls;         /* how often a step has called the network */

    struct time_budget *time_budget; /* NULL: there is no limit */
    struct progress *progress;       /* the caller's bar; NULL: each run has its own */
    double done;                     /* what the caller's bar counts before this run */
};

/* Everything that a generator needs beside a recipe. */
struct generator_options {
    const ddpm_model *model;
    const ddpm_model *classifier; /* guides the steps; NULL: none does */
    const struct command *command;
    const struct common *common;
    int batch;
    const char *noise_path; /* a file of given noise (given_noise.h), or NULL */
    const char *from_path;  /* the images to start from (start_image.h), or NULL */
    const char *mask_path;  /* a mask of what is painted anew in them, or NULL */
    uint32_t last;          /* the largest index that will be asked for */
};

/* Takes an image at its place in the list that was asked for.  frame [frames, d]; lost: 1 + the chain
   position at which it was lost, or 0. */
typedef int generator_image_fn(void *user, int place, const double *frame, int lost, double seconds,
                               ddpm_error *err);

/* Opens everything that can fail.  Completes r's model, classifier, engine_class, variance, steps, noise and
   from, whose texts live as long as the generator and the models of o. */
int generator_open(struct generator *s, struct recipe *r, const struct generator_options *o, ddpm_error *err);
/* Returns how many steps an image takes, up and down. */
int generator_steps(const struct generator *s);
/* Makes runs from now on stop when p says so.  Tries a first step with a single image, whose result is thrown
   away, to know how long a step takes. */
int generator_time_budget(struct generator *s, struct time_budget *p, ddpm_error *err);
/* Measures the seconds of a step of n <= batch images at the top of the chain.  Its result is thrown away. */
int generator_try(struct generator *s, int n, double *seconds, ddpm_error *err);
/* Makes index [n], n <= batch, the batch under way. */
int generator_begin(struct generator *s, const uint32_t *index, int n, ddpm_error *err);
/* Takes a step of the batch under way, up or down.  The errors are those of ddpm_sampler_step. */
int generator_step(struct generator *s, ddpm_error *err);
/* Makes the images index [n], in order.  A lost image is reported on stderr and does not end the run.
   TRY_LATER: interrupted, or out of time. */
int generator_run(struct generator *s, const uint32_t *index, int n, generator_image_fn *image, void *user,
                  ddpm_error *err);
/* Makes the images of f in the same way, from the step at which they were stopped. */
int generator_resume(struct generator *s, const struct saved_batch *f, generator_image_fn *image, void *user,
                     ddpm_error *err);
/* Copies the batch that was under way when a run was interrupted into f, which has room for a batch.  Lost
   images are left out.  f->n is 0 if no step was taken or every image is lost. */
void generator_saved_batch(const struct generator *s, struct saved_batch *f);
void generator_close(struct generator *s);

/* ---- for the parts of a generator ---- */

/* Checks the class and the guidance that the recipe asks for, before anything large is opened. */
int generator_check_guidance(struct generator *s, struct recipe *r, const struct generator_options *o,
                             ddpm_error *err);
/* Opens what guides the network or the steps, if there is anything. */
int generator_open_guidance(struct generator *s, struct recipe *r, const struct generator_options *o,
                            ddpm_error *err);

/* Returns the class of an image as the network gets it. */
int32_t generator_class(const struct generator *s, uint32_t index);
/* Returns TRY_LATER, with the reason, where the run is to stop before the next step. */
int generator_stopped(const struct generator *s, ddpm_error *err);
/* Makes the ends of the way between two images, if there is one and they are not made yet.  TRY_LATER:
   interrupted, or out of time. */
int generator_between(struct generator *s, ddpm_error *err);
#endif
