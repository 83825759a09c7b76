/* A model being trained: one step of the optimiser at a time, see trainer.c. */
#ifndef DD_TRAINER_H
#define DD_TRAINER_H
#include "net/gradient.h"
#include "train/loss.h"
#include "train/optimiser.h"

struct ddpm_trainer {
    int batch, accumulate;
    double ema, class_dropout;
    uint64_t seed;
    struct dd_gradient *gradient; /* holds the trained weights */
    ddpm_model *plain;            /* the model; the data of its parameters lie in `average` */
    struct dd_loss loss;
    struct dd_optimiser optimiser;
    struct dd_kernels kernels;
    struct dd_team *team; /* the team of `gradient` */
    float *scratch;

    size_t count;         /* the length of each of the next four vectors */
    float *average, *low; /* the average is average + low, of which average is the rounded sum */
    float *m, *v;         /* Adam's moments */

    float *x, *t, *out, *dout; /* the inputs, timesteps, outputs and gradients of one pass */
    int32_t *classes;          /* [batch] the classes of one pass, some of them dropped */
    int64_t done, images;      /* how many steps are done, and how many images they used */
    bool packed;               /* the layers have packed the present weights */
};

/* These are ddpm_trainer_defaults, _create, _step, _loss and _free of ddpm.h. */
void dd_trainer_defaults(ddpm_trainer_options *o);
int dd_trainer_create(ddpm_trainer **t, const ddpm_model *m, const ddpm_trainer_options *o, ddpm_error *err);
int dd_trainer_step(ddpm_trainer *t, const float *x0, const int32_t *classes, ddpm_trainer_report *r,
                    ddpm_error *err);
int dd_trainer_loss(ddpm_trainer *t, const float *x0, const int32_t *classes, int n, uint32_t first,
                    double *loss, ddpm_error *err);
void dd_trainer_free(ddpm_trainer *t);
#endif
