/* The log of a training, a JSON object a line:

     {"step", "loss", "rate", "norm", "images_per_second", "loading"}
     {"step", "held_out"}

   The loss is a mean over the steps since the line before; loading is the share of the time that
   reading images took; held_out is the loss of the held-out images with the averaged weights.  The
   curves of both losses are drawn from it. */
#ifndef DDPM_TRAINING_LOG_H
#define DDPM_TRAINING_LOG_H
#include <stdio.h>
#include "training/curve.h"

enum { TRAINING_LOG_EVERY = 10 }; /* steps of a line */

struct training_log {
    FILE *file;
    struct curve loss, held;

    /* Since the last line: the sum of the losses, seconds, seconds of loading, steps. */
    double sum, seconds, loading;
    int64_t steps;
};

/* The cost of a step. */
struct training_log_cost {
    int images;
    double seconds, loading; /* in all; of them for reading its images */
};

/* Opens path for more lines.  Lines after the given step, which are made again, are taken out
   first. */
int training_log_open(struct training_log *l, const char *path, int64_t step, ddpm_error *err);
/* Counts a step that has been done.  Every TRAINING_LOG_EVERY steps, or with flush, it writes a
   line. */
int training_log_step(struct training_log *l, const ddpm_trainer_report *r, struct training_log_cost cost,
                      bool flush, ddpm_error *err);
/* Writes the loss of the held-out images after a step. */
int training_log_held(struct training_log *l, int64_t step, double loss, ddpm_error *err);
void training_log_close(struct training_log *l);
#endif
