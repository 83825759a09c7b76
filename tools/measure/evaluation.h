/* Measures the bits per dimension of a data set, a batch at a time, and adds them to sums: every term of the
   variational bound, or the likelihood by the probability-flow ODE.  Noise depends only on seed, place in the
   data and t, so batch, threads and interruptions change no bit. */
#ifndef DDPM_EVALUATION_H
#define DDPM_EVALUATION_H
#include "cli/options.h"
#include "image/dataset.h"
#include "measure/eval_sums.h"

/* The settings of the ODE, as in ddpm_likelihood_options. */
struct evaluation_ode {
    int steps, probe;
    double tolerance;
};

/* Returns the names of the probes in the order of DDPM_RADEMACHER..., NULL last. */
const char *const *evaluation_probe_names(void);

/* The data and the settings of an evaluation.  All must outlive it, but for the texts. */
struct evaluation_options {
    const ddpm_model *model;
    const struct dataset *data;
    const struct command *command;
    const struct common *common;
    const struct evaluation_ode *ode; /* NULL: the bound is measured */
    /* For the bound: texts of the options, see command-line.md, and the bound of |x0|, see ddpm_about. */
    const char *steps, *spacing, *variance;
    double clip;
    uint64_t seed;
    int batch; /* images at a time; 0: up to 16 */
    int class; /* one class for all images; negative: each has its class in the data */
};

struct evaluation {
    const struct command *command;
    const struct common *common;
    const ddpm_about *about;
    const struct dataset *data;
    int batch, class;
    ddpm_chain *chain;

    /* For the bound, else NULL. */
    ddpm_net *net;
    ddpm_bound *bound;
    /* For the ODE, else NULL. */
    ddpm_vjp *vjp;
    ddpm_likelihood *likelihood;

    struct eval_sums eval_sums;
    size_t d;          /* values of an image */
    double until;      /* progress_now() by which the run has to end, 0: no limit; set by the caller */
    double call;       /* result if late: seconds for one term of one image */
    bool late;         /* result: the run was given up, as a batch would have ended after `until` */
    double *x0;        /* [batch, d] */
    uint32_t *index;   /* [batch] */
    int32_t *classes;  /* [batch] */
    char warning[256]; /* a warning about the variance, or "" */
    const char *what;  /* text of the progress bar, or NULL; set by the caller */
};

/* Opens chain, network and sums, so that only reading the data can fail later. */
int evaluation_open(struct evaluation *e, const struct evaluation_options *o, ddpm_error *err);
/* Returns the engine class of the network. */
const char *evaluation_engine_class(const struct evaluation *e);
/* Returns the CRC-32 of n values as bytes: an image's EVAL_SUMS_CHECK, or a list of steps as one
   number. */
uint32_t evaluation_check(const double *x, size_t n);
/* Saves the sums so far. */
typedef int evaluation_save_fn(void *user, ddpm_error *err);
/* Measures the images that are not in the sums yet, until all are measured or the user
   interrupts.  A batch that was not finished is not added.  save, which may be NULL, is called
   every half minute and at the end.  If `until` is set and a batch would end later by its own
   rate, it is given up, and `late` and `call` are set. */
int evaluation_run(struct evaluation *e, evaluation_save_fn *save, void *user, ddpm_error *err);
/* Sets *seconds to the time for one term of the first image's bound.  It is no error here if that image
   becomes NaN. */
int evaluation_try(struct evaluation *e, double *seconds, ddpm_error *err);
void evaluation_close(struct evaluation *e);
#endif
