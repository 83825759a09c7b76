/* The log of a training has a JSON object in each line:

     {"step", "loss", "rate", "norm", "images_per_second", "loading"}
     {"step", "held_out"}

   loss is the mean over the steps since the line before, rate the learning rate, norm that of the gradient;
   loading is the share of the time that reading images took; held_out is the loss of the held-out images with
   the averaged weights.  The curves of both losses are drawn from the log. */
#ifndef DDPM_TRAINING_LOG_H
#define DDPM_TRAINING_LOG_H
#include <stdio.h>
#include "training/curve.h"

enum { TRAINING_LOG_EVERY = 10 }; /* a line is written every so many steps */

struct training_log {
    FILE *file;
    FILE *echo; /* gets every new line too, or NULL */
    struct curve loss, held;

    /* Sums since the last line: losses, seconds, seconds of loading, steps. */
    double sum, seconds, loading;
    int64_t steps;
};

/* The cost of a step. */
struct training_log_cost {
    int images;
    double seconds; /* time of the whole step */
    double loading; /* the part of it for reading images */
};

/* Opens the log at path for more lines.  First removes the lines after `step`, as those steps are made
   again. */
int training_log_open(struct training_log *l, const char *path, int64_t step, ddpm_error *err);
/* Counts a step that has been done.  Every TRAINING_LOG_EVERY steps, or with flush, it writes a
   line. */
int training_log_step(struct training_log *l, const ddpm_trainer_report *r, struct training_log_cost cost,
                      bool flush, ddpm_error *err);
/* Writes the loss of the held-out images after a step. */
int training_log_held(struct training_log *l, int64_t step, double loss, ddpm_error *err);
void training_log_close(struct training_log *l);
#endif
