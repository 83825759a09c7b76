/* Bits per dimension of a data set: every image goes through every term of a bound, a batch at a
   time, and is added to sums.  Noise belongs to (seed, place in the data, t), so batch, threads
   and interruptions change no bit. */
#ifndef DDPM_EVALUATION_H
#define DDPM_EVALUATION_H
#include "cli/options.h"
#include "image/dataset.h"
#include "measure/eval_sums.h"

struct evaluation_options {
    const char *steps, *spacing, *variance; /* as in command-line.md */
    double clip;                            /* as in ddpm_about */
    uint64_t seed;
    int batch; /* 0: up to 16 */
    int class; /* of all images; negative: the data's */
};

struct evaluation {
    const struct command *command;
    const struct common *common;
    const ddpm_about *about;
    const struct dataset *data;
    int batch, class;
    ddpm_net *net;
    ddpm_chain *chain;
    ddpm_bound *bound;
    struct eval_sums eval_sums;
    size_t d;          /* values of an image */
    double until;      /* the progress_now() at which it has to end, 0: none; set by the caller */
    double call;       /* seconds of an image and term, where it would not have ended in time */
    bool late;         /* it was given up, since it would not have ended in time */
    double *x0;        /* [batch, d] */
    uint32_t *index;   /* [batch] */
    int32_t *classes;  /* [batch] */
    char warning[256]; /* of the sampler's variance, or "" */
    const char *what;  /* what the progress bar says, or NULL; set by the caller */
};

/* Opens chain, network and sums, so that only reading the data can fail later.  The data outlive
   e. */
int evaluation_open(struct evaluation *e, const ddpm_model *m, const struct dataset *data,
                    const struct evaluation_options *o, const struct command *command,
                    const struct common *common, ddpm_error *err);
/* Returns the CRC-32 of n values as bytes: an image's EVAL_SUMS_CHECK, or a list of steps as one
   number. */
uint32_t evaluation_check(const double *x, size_t n);
typedef int evaluation_save_fn(void *user, ddpm_error *err);
/* Measures the images that the sums do not count yet, until none is left or the user interrupts.
   A batch that is not whole is not counted.  save, which may be NULL, is called every half
   minute and at the end.  With `until` set, a batch is given up that would end later by its own
   rate; then `late` and `call` are set. */
int evaluation_run(struct evaluation *e, evaluation_save_fn *save, void *user, ddpm_error *err);
/* Fills *seconds with what the first image takes for one term.  Losing it to NaN is no error
   here. */
int evaluation_try(struct evaluation *e, double *seconds, ddpm_error *err);
void evaluation_close(struct evaluation *e);
#endif
