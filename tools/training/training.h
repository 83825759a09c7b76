/* One training: data, trainer, and what is kept and shown of it.  The command line is cmd_train.c's business. */
#ifndef DDPM_TRAINING_H
#define DDPM_TRAINING_H
#include "image/dataset.h"
#include "training/epoch.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "measure/statistics.h"
#include "training/training_folder.h"
#include "training/training_log.h"
#include "training/training_plan.h"

struct train_settings {
    struct common common;
    const char *output, *preset, *init, *fit;
    double time; /* seconds, 0: any */
    int64_t images, steps, converged, held_out, eval_every, save_every, keep, grid_every, cache;
    uint64_t seed;
    struct option_texts config, set;
    bool resume, force, skip_bad;
};

struct training {
    const struct train_settings *s;
    const struct command *command;
    char name[256]; /* of the data, without its folders; UTF-8 */
    struct training_plan plan;
    ddpm_model *model;
    const ddpm_about *about;         /* that the trainer began with */
    struct dataset data, used, held; /* used and held: parts of data, by its index */
    size_t skipped;
    char sha256[65], init_id[65]; /* of the images and classes; of --init or "" */
    cJSON *run; /* "run" of a checkpoint: settings that a resumed run must share, and progress */
    ddpm_trainer *trainer;
    struct stream stream;
    float *x0;
    int32_t *classes;
    size_t images;
    int64_t saved;       /* images of a step; the last saved step, -1: none */
    bool replaces, done; /* MODEL may be replaced; it is what would be written */
    double best;
    int64_t since; /* lowest loss of the held-out images; evaluations since then */
    struct training_folder folder;
    struct training_log log;
    struct progress progress;
    double began;                       /* progress_now() of the start */
    double call;                        /* seconds of a call of the network, 0: not tried */
    double saved_at, shown_at, showing; /* the last checkpoint and picture; seconds that it took */
    int64_t first, shown;               /* steps: this start's first, the last picture's or -1 */
    bool written;                       /* the model file is there, maybe without statistics */
    struct statistics_plan measured;    /* what the statistics are of */
    double bits;                        /* per dimension, of the chain of so many terms */
};

/* training_output.c, before the work: whether MODEL can be made where the settings want it.  Then, once a
   checkpoint has been chosen: whether a MODEL that is there is of this training, so that it may be replaced,
   and whether it is all that is asked for. */
int training_output_check(struct training *t, ddpm_error *err);
int training_output_find(struct training *t, ddpm_error *err);
/* Opens the best weights that were kept, whole. */
int training_output_best(struct training *t, ddpm_model **m, ddpm_error *err);
/* Bits per dimension that MODEL says, NAN where it says nothing. */
double training_output_bits(const struct training *t);
/* training_open.c: everything that can fail but for writing; TRY_LATER as in training_folder.h.  When t->done
   is set nothing is left to do, and there is no trainer. */
int training_open(struct training *t, const char *data, ddpm_error *err);
void training_close(struct training *t);
/* training_run.c: until an end is reached or the user interrupts; the checkpoint of the last step is then there. */
int training_run(struct training *t, ddpm_error *err);
/* training_end.c: the model file, then what is measured on the held-out images in it. */
int training_finish(struct training *t, ddpm_error *err);
/* Seconds that are left of --time, or infinity. */
double training_time_left(const struct training *t);
/* Seconds that a picture and the statistics will take behind the last step. */
double training_end_seconds(const struct training *t);
/* Seconds of a call of the network with one image: tried before the first step where there is a --time,
   else guessed. */
double training_call_seconds(const struct training *t);
int training_try(struct training *t, ddpm_error *err);
/* training_show.c: a picture of 16 samples of the averaged weights, always from the same noise, and the curves of the loss. */
int training_show(struct training *t, ddpm_error *err);
int training_show_curve(struct training *t, ddpm_error *err);
/* Seconds that such a picture takes: as long as the last one, or what its calls of the network should
   take. */
double training_show_seconds(const struct training *t);
#endif
