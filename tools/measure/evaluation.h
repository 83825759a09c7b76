/* Bits per dimension of a data set: every image through every term of a bound, a batch at a time, into a eval_sums.  Noise belongs to (seed,
   place in the data, t), so that batch, threads and interruptions change no bit. */
#ifndef DDPM_EVALUATION_H
#define DDPM_EVALUATION_H
#include "image/dataset.h"
#include "cli/options.h"
#include "measure/eval_sums.h"

struct evaluation_options {
    const char *steps, *spacing, *variance; /* as in command-line.md */
    double clip;                            /* as in ddpm_about */
    uint64_t seed;
    int batch, class; /* 0: up to 16; the class of all images, negative: the data's */
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
    size_t d;
    double until, call; /* it has to end at this progress_now(), 0: any; see below */
    bool late;
    double *x0;
    uint32_t *index;
    int32_t *classes; /* [batch, d], [batch], [batch] */
    char warning[256];
    const char *what; /* what the bar says, or NULL */
};

/* Everything that can fail but for reading the data, which outlives e. */
int evaluation_open(struct evaluation *e, const ddpm_model *m, const struct dataset *data,
                    const struct evaluation_options *o, const struct command *command,
                    const struct common *common, ddpm_error *err);
/* Checksums of values as bytes: a eval_sums's EVAL_SUMS_CHECK of an image, and the list of steps as one number. */
uint32_t evaluation_check(const double *x, size_t n);
/* The images that the eval_sums does not count yet, until none is left or the user interrupts; nothing is counted of a batch that is not
   whole.  save, which may be NULL, is called every half minute and at the end. */
/* With `until` set, a batch that would end later by its own rate is given up, `late` is true then, and
   `call` is how many seconds an image takes for one term. */
typedef int evaluation_save_fn(void *user, ddpm_error *err);
int evaluation_run(struct evaluation *e, evaluation_save_fn *save, void *user, ddpm_error *err);
/* Fills *seconds with what the first image takes for one term; an image that is lost is nothing to
   complain of. */
int evaluation_try(struct evaluation *e, double *seconds, ddpm_error *err);
void evaluation_close(struct evaluation *e);
#endif
