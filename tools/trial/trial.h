/* Trials: every sampler with every number of steps, each run end to end on the same images (the same noise), round by round; then what the
   images are worth. */
#ifndef DDPM_TRIAL_H
#define DDPM_TRIAL_H
#include "image/dataset.h"
#include "measure/frechet.h"
#include "cli/machine_state.h"
#include "cli/options.h"
#include "image/picture.h"
#include "cli/progress.h"

enum { TRIALS_MAX = 64, ROUNDS_MAX = 20 };

struct trial {
    const char *sampler;
    int K;
    bool fixed;                 /* the sampler adds no noise: its images have a limit */
    double seconds[ROUNDS_MAX]; /* per image, of each round; NAN: slowed down by heat whenever it was tried */
    double network, whole;      /* seconds within the network, and in all, of what was not discarded */
    double memory;              /* bytes, the peak of the process */
    int discarded, lost;        /* runs, images */
    struct picture images;      /* n of them, one below the other: an array [n, h, w, c] */
    double median, spread, bits; /* seconds per image; bits per dimension, NAN: no data */
    struct frechet distance;
    bool compared;
    double rmse, psnr, ssim; /* to the same sampler's most steps; NAN: none */
    double step;             /* seconds of an image and step, as the warm-up went */
    bool front, knee;
};

struct layer_time {
    char name[96], op[24], engine[48];
    double seconds;
}; /* per image and step */

struct trials { /* the first part is set by the caller */
    const struct command *command;
    const struct common *common;
    const ddpm_model *model;
    const ddpm_about *about;
    const char *spacing, *variance, *file; /* file: of the model */
    uint64_t seed;
    int n, least, batch, rounds; /* n images of each set, or as few as least where the budget takes no more */
    struct dataset *data;        /* NULL: none */
    double
        budget; /* seconds that the work may take, or sets get smaller, then the most steps are left out; 0: any */
    double
        limit; /* seconds per image that matter; what takes more than twice as long is left out; 0: all matter */

    struct trial trial[TRIALS_MAX];
    int count;
    struct trial reference; /* other images of the first sampler's most steps; or, with data, the data */
    double work;            /* seconds of each image of a set in all, by the warm-up */
    double needed;          /* images of a set that would rank a row; 0: not asked */
    int left_out, largest,
        slow; /* numbers of steps that were left out; the largest that was asked for; rows beyond the limit */
    char engine_class[256];
    int threads;
    char cpu[16];
    struct layer_time *layer;
    size_t layers;
    double image_steps;
    int features;
    struct machine_state before, after;
    struct common silent;
    struct progress progress;
    double done;
};

/* Whether all trials could be run, before the first step. */
int trials_check(struct trials *t, ddpm_error *err);
/* Time first, then quality.  Stops when the user interrupts. */
int trials_run(struct trials *t, ddpm_error *err);
int trials_compare(struct trials *t, ddpm_error *err);
int trials_discarded(const struct trials *t);
/* How far the rounds of one trial lie apart: the median over trials of (slowest - fastest) / median; NAN: some have not two rounds. */
double trials_noise(const struct trials *t);
void trials_free(struct trials *t);
#endif
