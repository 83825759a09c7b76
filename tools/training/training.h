/* One training: data, trainer, and what is kept and shown of it.  The command line is
   cmd_train.c's business. */
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
    double began; /* progress_now() of the start */

    /* The data: all images, and the parts of them (by their index) to train with and to measure
       on. */
    char name[256]; /* of the data, without its folders; UTF-8 */
    struct dataset data, used, held;
    size_t skipped;   /* images that could not be used */
    uint32_t *check;  /* of every image, see epoch_check */
    char sha256[65];  /* of the images and classes */
    char init_id[65]; /* of the model of --init, or "" */

    /* The model and its trainer. */
    struct training_plan plan;
    ddpm_model *model; /* that the trainer begins with */
    const ddpm_about *about;
    cJSON *run; /* "run" of a checkpoint: settings that a resumed run must share, and progress */
    ddpm_trainer *trainer;

    /* The images of a step: so many, x0 [images, h, w, c], classes [images]. */
    struct stream stream;
    size_t images;
    float *x0;
    int32_t *classes;

    /* Kept while it runs. */
    struct training_folder folder;
    struct training_log log;
    struct progress progress;
    int64_t first;   /* step of this start */
    int64_t saved;   /* step of the last checkpoint, -1: none */
    double saved_at; /* progress_now() of it */
    int64_t shown;   /* step of the last picture, -1: none */
    double shown_at; /* progress_now() of it */
    double showing;  /* seconds that it took */
    double best;     /* lowest loss of the held-out images */
    int64_t since;   /* evaluations since then */

    /* The end. */
    bool replaces;                   /* MODEL may be replaced */
    bool done;                       /* MODEL is there and is what would be written */
    bool written;                    /* MODEL is written, maybe without statistics */
    double call;                     /* seconds of a call of the network, 0: not tried */
    struct statistics_plan measured; /* what the statistics are of */
    double bits;                     /* per dimension, of the chain of so many terms */
};

/* ---- training_output.c ---- */

/* Returns, before the work, whether MODEL can be made where the settings want it. */
int training_output_check(struct training *t, ddpm_error *err);
/* Finds, once a checkpoint has been chosen, whether a MODEL that is there is of this training,
   so that it may be replaced, and whether it is all that is asked for (t->done). */
int training_output_find(struct training *t, ddpm_error *err);
/* Opens the best weights that were kept, whole. */
int training_output_best(struct training *t, ddpm_model **m, ddpm_error *err);
/* Returns the bits per dimension that MODEL says, NAN where it says nothing. */
double training_output_bits(const struct training *t);

/* ---- training_open.c, training_resume.c ---- */

/* Opens everything that can fail but for writing; TRY_LATER as in training_folder.h.  When
   t->done is set nothing is left to do, and there is no trainer. */
int training_open(struct training *t, const char *data, ddpm_error *err);
void training_close(struct training *t);
/* Takes the newest checkpoint, if there is one to go on from.  DDPM_ECREATE: there are some, and
   the user did not say --resume.  DDPM_EUSAGE: they were begun with other settings or data. */
int training_resume(struct training *t, ddpm_error *err);

/* ---- training_run.c ---- */

/* Trains until an end is reached or the user interrupts.  The checkpoint of the last step is
   then there. */
int training_run(struct training *t, ddpm_error *err);

/* ---- training_end.c ---- */

/* Writes the model file, then what is measured on the held-out images into it. */
int training_finish(struct training *t, ddpm_error *err);
/* Returns the seconds that are left of --time, or infinity. */
double training_time_left(const struct training *t);
/* Returns the seconds that a picture and the statistics will take behind the last step. */
double training_end_seconds(const struct training *t);
/* Tries a call of the network before the first step, where there is a --time. */
int training_try(struct training *t, ddpm_error *err);
/* Returns the seconds of a call of the network with one image: tried, else guessed from the
   steps. */
double training_call_seconds(const struct training *t);

/* ---- training_show.c ---- */

/* Draws 16 samples of the averaged weights, always from the same noise, and the curves of the
   loss. */
int training_show(struct training *t, ddpm_error *err);
/* Draws the curves alone. */
int training_show_curve(struct training *t, ddpm_error *err);
/* Returns the seconds that training_show takes: as long as the last time, or what its calls of
   the network should take. */
double training_show_seconds(const struct training *t);
#endif
