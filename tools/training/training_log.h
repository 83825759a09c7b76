/* The log of a training, a JSON object a line: {"step", "loss", "rate", "norm", "images_per_second", "loading"}, the loss a mean since the line
   before, loading the share of the time that reading images took, and {"step", "held_out"}, the loss of the held-out images with the averaged
   weights.  The curves of both losses are drawn from it. */
#ifndef DDPM_TRAINING_LOG_H
#define DDPM_TRAINING_LOG_H
#include <stdio.h>
#include "training/curve.h"

enum { TRAINING_LOG_EVERY = 10 }; /* steps */

struct training_log {
    FILE *file;
    struct curve loss, held;
    double sum, seconds, loading;
    int64_t steps; /* since the last line */
};

/* Opens path for more lines; those after the given step, which are to be made again, are taken out first. */
int training_log_open(struct training_log *l, const char *path, int64_t step, ddpm_error *err);
/* A step has been done in so many seconds, of which loading for its images; every so many steps, or flush, a line is written. */
int training_log_step(struct training_log *l, const ddpm_trainer_report *r, int images, double seconds,
                      double loading, int flush, ddpm_error *err);
int training_log_held(struct training_log *l, int64_t step, double loss, ddpm_error *err);
void training_log_close(struct training_log *l);
#endif
