/* ddpm_training.h: learning weights, and solvers of few steps.  It is a part of ddpm.h, which includes it. */
#ifndef DDPM_PART_TRAINING_H
#define DDPM_PART_TRAINING_H
#include "ddpm.h"
#ifdef __cplusplus
extern "C" {
#endif

/* ---- training: algorithm 1 of Ho et al. 2020 ---- */

typedef struct ddpm_trainer ddpm_trainer;

/* The losses, means over images at a step t each.

   DDPM_SIMPLE     L_simple (Ho et al. 2020, equation 14): the mean of (eps - eps_theta)^2, or of the same of
                   what the network predicts
   DDPM_VLB        L_vlb, one term of the bound (equation 5) in bits per dimension, times T
   DDPM_HYBRID     L_simple + L_vlb / 1000, where L_vlb trains the variance alone (Nichol and Dhariwal 2021)
   DDPM_WEIGHTED   beta^2 / (2 sigma^2 alpha (1 - alpha_bar)) (eps - eps_theta)^2 (Ho et al. 2020, equation
                   12), in bits per dimension, times T
   DDPM_SCORE      denoising score matching (Vincent 2011): (eps - eps_theta)^2 / (1 - alpha_bar)

   A model with a learned variance takes DDPM_VLB or DDPM_HYBRID; other models take all but DDPM_HYBRID. */
enum { DDPM_SIMPLE, DDPM_VLB, DDPM_HYBRID, DDPM_WEIGHTED, DDPM_SCORE };

/* What a loss is called, and what its number is, such as "bits per dimension". */
typedef struct ddpm_loss_traits {
    const char *name, *measures;
} ddpm_loss_traits;

/* Return the names of the losses in the order of DDPM_SIMPLE..., NULL last, and the traits of a loss, or NULL
   if there is no such loss.  Both live as long as the program. */
DDPM_API const char *const *ddpm_loss_names(void);
DDPM_API const ddpm_loss_traits *ddpm_loss_traits_of(int loss);

/* Options of a trainer.  Begin with ddpm_trainer_defaults. */
typedef struct ddpm_trainer_options {
    int batch, accumulate; /* images in a pass; passes in a step of the optimiser */
    int threads;           /* as in ddpm_net_options, like the next two */
    const char *cpu, *conv;
    int loss;       /* DDPM_SIMPLE... */
    double min_snr; /* gamma of min(SNR, gamma), which weights L_simple (Hang et al. 2023); 0: off */
    double rate, beta1, beta2, epsilon; /* Adam (Kingma and Ba 2015) */
    double decay, clip;    /* decay above 0: AdamW; clip: the largest norm of the gradient, 0: no limit */
    int64_t warmup, steps; /* the rate rises for `warmup` steps; steps > 0: then a half cosine to 0 */
    double ema;            /* the average of the weights has the decay min(ema, (1 + step) / (10 + step)) */
    double dropout;        /* negative: the model's own */
    double class_dropout;  /* how probable it is that an image trains the model's null class, below 1 */
    uint64_t seed;         /* the seed of timesteps, noise and dropout; see model-file.md, "Noise" */
} ddpm_trainer_options;

/* The result of a step.  step: how many steps are done.  loss: the loss of this step.  norm: the norm of
   the gradient before clipping. */
typedef struct ddpm_trainer_report {
    int64_t step;
    double loss, rate, norm;
} ddpm_trainer_report;

/* Fills *o with batch 64, one pass, L_simple, Adam with rate 2e-4, clip 1, no warm-up, constant rate, ema
   0.9999, the model's dropout, seed 0. */
DDPM_API void ddpm_trainer_defaults(ddpm_trainer_options *o);

/* Makes a trainer from the model, which may be closed afterwards.  If m is a training checkpoint, the
   trainer goes on from it; with the same options it gives the same bits as without the interruption.
   DDPM_EUSAGE, DDPM_EDATA, DDPM_ENOMEM, DDPM_EUNSUPPORTED. */
DDPM_API int ddpm_trainer_create(ddpm_trainer **t, const ddpm_model *m, const ddpm_trainer_options *o,
                                 ddpm_error *err);
DDPM_API void ddpm_trainer_free(ddpm_trainer *t);

/* Takes one step of the optimiser with x0 [accumulate * batch, h, w, c] in [-1, 1], classes [accumulate *
   batch] or NULL.  Timesteps, noise and both kinds of dropout of an image follow from the seed and the number
   of images before it in training.  r may be NULL.  DDPM_ENAN names step and layer; DDPM_EUSAGE: a class is
   out of range.  After an error the trainer is as it was before the step. */
DDPM_API int ddpm_trainer_step(ddpm_trainer *t, const float *x0, const int32_t *classes,
                               ddpm_trainer_report *r, ddpm_error *err);

/* Returns how many steps of the optimiser the weights have seen, those of the training checkpoint
   included. */
DDPM_API int64_t ddpm_trainer_done(const ddpm_trainer *t);

/* Fills *loss (may be NULL) with the mean loss of n images x0 [n, h, w, c], with the averaged weights and
   without dropout.  Timesteps and noise differ from those of training.  They belong to (seed, first + k),
   so the mean over a whole set does not depend on how it is divided. */
DDPM_API int ddpm_trainer_loss(ddpm_trainer *t, const float *x0, const int32_t *classes, int n,
                               uint32_t first, double *loss, ddpm_error *err);

/* Makes a model with the averaged weights, float32, without the statistics of other weights.

   If `whole` is set, it makes a training checkpoint, which also holds the trained weights themselves
   (raw.NAME), the optimiser's moments (adam.m.NAME, adam.v.NAME), the second part of the average
   (average.low.NAME), and in its metadata "train": {"trainer": {"step", "images", "average"}, "run": RUN}.
   RUN is the caller's object `run` as JSON text, or {} if that is NULL.  The file of such a checkpoint
   carries its SHA-256, and ddpm_model_open gives DDPM_EDATA if that is wrong. */
DDPM_API int ddpm_trainer_model(const ddpm_trainer *t, ddpm_model **m, int whole, const char *run,
                                ddpm_error *err);

/* ---- tuning: a solver of few steps, learned for one model ---- */

typedef struct ddpm_tuner ddpm_tuner;

/* Options of a tuner.  Begin with ddpm_tuner_defaults, then set K and t. */
typedef struct ddpm_tuner_options {
    int K;           /* how many steps the solver takes */
    const double *t; /* [K] the steps to begin with, rising to T - 1; ddpm_tuner_create alone reads them */
    int batch;       /* how many images a step of tuning takes */
    int64_t steps;   /* the rates fall by half a cosine until then */
    int threads;     /* as in ddpm_net_options, like the next two */
    const char *cpu, *conv;
} ddpm_tuner_options;

/* Fills *o with 16 images and 400 steps. */
DDPM_API void ddpm_tuner_defaults(ddpm_tuner_options *o);

/* Makes a tuner, whose solver is DPM-Solver++(2M) at o->t at first.  m may be closed afterwards. */
DDPM_API int ddpm_tuner_create(ddpm_tuner **t, const ddpm_model *m, const ddpm_tuner_options *o,
                               ddpm_error *err);
DDPM_API void ddpm_tuner_free(ddpm_tuner *t);

/* Takes one step of Adam towards the teacher's images x0 [batch, d], made from the noises x [batch, d];
   classes [batch] or NULL.  *loss is the mean of |x0' - x0| before the step, where x0' is the solver's
   image.  DDPM_ENAN: nothing has changed. */
DDPM_API int ddpm_tuner_step(ddpm_tuner *t, const double *x, const double *x0, const int32_t *classes,
                             double *loss, ddpm_error *err);

/* Returns the present solver, [DDPM_TUNED_ROWS, K] as in ddpm_tuned.  The next call overwrites it. */
DDPM_API const double *ddpm_tuner_table(ddpm_tuner *t);

/* Returns the state [count] that steps change; its last number says how many steps are done.  Saved and
   restored as a whole, it lets a tuner with the same options go on to the same bits. */
DDPM_API double *ddpm_tuner_state(ddpm_tuner *t, size_t *count);

#ifdef __cplusplus
}
#endif
#endif
