/* A training joins data and trainer, and keeps its log, checkpoints and pictures.  cmd_train.c reads the
   command line. */
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
    const char *output, *preset, *init, *size, *fit;
    double time; /* seconds; 0: no limit */
    int64_t images, steps, converged, held_out, eval_every, save_every, keep, grid_every, cache;
    uint64_t seed;
    struct option_texts config, set;
    bool resume, force, skip_bad, gray, color;
};

struct training {
    const struct train_settings *s;
    const struct command *command;
    double began; /* progress_now() at the start */

    /* The data: all images, those that are trained with, and those that are held out. */
    char name[256]; /* name of the data, without folders; UTF-8 */
    struct dataset data, used, held;
    size_t skipped;   /* images that could not be used */
    uint32_t *check;  /* [all images] checksums, see epoch_check */
    char sha256[65];  /* hash of all images and classes */
    char init_id[65]; /* id of the model of --init, or "" */

    /* The model and its trainer. */
    struct training_plan plan;
    ddpm_model *model; /* the model that the trainer begins with */
    const ddpm_about *about;
    cJSON *run; /* "run" in a checkpoint: settings that a resumed run must share, and progress */
    ddpm_trainer *trainer;

    /* The images of a step. */
    struct stream stream;
    size_t images;    /* images in a step: batch times accumulate */
    float *x0;        /* [images, h, w, c] */
    int32_t *classes; /* [images] */

    /* The state of the run. */
    struct training_folder folder;
    struct training_log log;
    struct progress progress;
    int64_t first;   /* the step from which this run began */
    int64_t saved;   /* step of the last checkpoint; -1: there is no checkpoint */
    double saved_at; /* progress_now() when it was saved */
    int64_t shown;   /* step of the last picture; -1: there is no picture */
    double shown_at; /* progress_now() when it was drawn */
    double showing;  /* seconds that drawing it took */
    double best;     /* lowest loss of the held-out images so far */
    int64_t since;   /* evaluations since the lowest loss */

    /* The end. */
    bool replaces;                   /* MODEL may be replaced */
    bool done;                       /* MODEL is there already, as this training would write it */
    bool written;                    /* MODEL was written, maybe without statistics */
    double call;                     /* seconds for a call of the network with one image; 0: not measured */
    struct statistics_plan measured; /* the images and terms of the statistics */
    double bits;                     /* bits per dimension by the chain of measured.terms steps */
};

/* ---- training_output.c ---- */

/* Checks, before the work, whether MODEL can be written at its path. */
int training_output_check(struct training *t, ddpm_error *err);
/* Finds, once a checkpoint has been chosen, whether a MODEL that is there comes from this training, so that
   it may be replaced, and whether nothing is left to do (t->done). */
int training_output_find(struct training *t, ddpm_error *err);
/* Opens best.ddpm, the kept weights with the least loss, and checks that they are whole and from this
   training. */
int training_output_best(struct training *t, ddpm_model **m, ddpm_error *err);
/* Returns the bits per dimension in MODEL's statistics, or NAN if there are none. */
double training_output_bits(const struct training *t);

/* ---- training_open.c, training_resume.c ---- */

/* Opens everything, so that later only reading and writing can fail; TRY_LATER as in training_folder.h.  If
   t->done is set, nothing is left to do, and there is no trainer. */
int training_open(struct training *t, const char *data, ddpm_error *err);
void training_close(struct training *t);
/* Takes the newest checkpoint with --resume, if there is one.  DDPM_ECREATE: there are checkpoints, and
   neither --resume nor --force was given.  DDPM_EUSAGE: the checkpoint has other settings or data. */
int training_resume(struct training *t, ddpm_error *err);

/* ---- training_run.c ---- */

/* Trains until an end is reached or the user interrupts.  The last step then has a checkpoint. */
int training_run(struct training *t, ddpm_error *err);

/* ---- training_end.c ---- */

/* Writes the model file, then measures statistics on the held-out images and adds them to it. */
int training_finish(struct training *t, ddpm_error *err);
/* Returns the seconds left of --time; INFINITY without --time. */
double training_time_left(const struct training *t);
/* Estimates the seconds that picture and statistics will take after the last step. */
double training_end_seconds(const struct training *t);
/* With --time, measures a call of the network before the first step. */
int training_try(struct training *t, ddpm_error *err);
/* Returns the seconds for a call of the network with one image: measured or, if it was not, estimated from
   the steps. */
double training_call_seconds(const struct training *t);

/* ---- training_show.c ---- */

/* Draws 16 samples with the averaged weights, always from the same noise, and the curves of the loss. */
int training_show(struct training *t, ddpm_error *err);
/* Draws the curves alone. */
int training_show_curve(struct training *t, ddpm_error *err);
/* Estimates the seconds that training_show takes: as long as the last time or, before that, as long as its
   calls of the network. */
double training_show_seconds(const struct training *t);
#endif
