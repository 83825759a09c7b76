/* Trials: every sampler with every number of steps, each run from noise to images on the same
   noise, round by round; then what the images are worth. */
#ifndef DDPM_TRIAL_H
#define DDPM_TRIAL_H
#include "cli/machine_state.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "image/dataset.h"
#include "image/picture.h"
#include "measure/frechet.h"

enum { TRIALS_MAX = 64, ROUNDS_MAX = 20, TRIAL_IMAGES_MOST = 4096 }; /* images of a set */

struct trial {
    const char *sampler;
    int K;
    bool fixed; /* the sampler adds no noise: with more steps its images approach a limit */

    /* Time. */
    double step;                /* seconds of an image and step, as the warm-up went */
    double seconds[ROUNDS_MAX]; /* per image, of each round; NAN: slowed down by heat whenever it was tried */
    double median, spread;      /* of them: seconds per image; (slowest - fastest) / median */
    double network, whole;      /* seconds within the network, and in all, of what was not discarded */
    double memory;              /* bytes, the peak of the process */
    int discarded;              /* runs */

    /* Quality. */
    struct picture images;   /* n of them, one below the other: an array [n, h, w, c] */
    int lost;                /* images that became NaN */
    bool compared;           /* there is a distance */
    struct frechet distance; /* to the reference */
    double bits;             /* per dimension, NAN: no data */
    double rmse, psnr, ssim; /* to the same sampler's most steps; NAN: none */

    bool front, knee; /* as in bench_quality.h */
};

/* Seconds that an operation of the network took in all. */
struct layer_time {
    char name[96], op[24], engine[48];
    double seconds;
};

struct trials {
    /* Set by the caller. */
    const struct command *command;
    const struct common *common;
    const ddpm_model *model;
    const ddpm_about *about;
    const char *spacing, *variance;
    const char *file; /* of the model */
    uint64_t seed;
    int n, least; /* images of a set, or as few as least where the budget takes no more */
    int batch, rounds;
    struct dataset *data; /* NULL: none */
    double budget; /* seconds of the work, 0: any; sets get smaller, then the most steps are left out */
    double limit;  /* seconds per image that matter, 0: all; more than twice as long is left out */
    struct trial trial[TRIALS_MAX];
    int count;

    /* Found. */
    struct trial reference; /* other images of the first sampler's most steps; or, with data, the data */
    double work;            /* seconds of each image of a set in all, by the warm-up */
    double needed;          /* images of a set that would rank a row; 0: not asked */
    int left_out;           /* numbers of steps that were left out for the budget */
    int largest;            /* number of steps that was asked for */
    int slow;               /* rows that were left out for the limit */
    char engine_class[256], cpu[16];
    int threads, features;
    struct layer_time *layer; /* [layers] */
    size_t layers;
    double image_steps; /* that layer is of */
    struct machine_state before, after;

    /* On the way. */
    struct common silent;
    struct progress progress;
    double done; /* image steps */
};

/* Returns, before the first step, whether all trials could be run. */
int trials_check(struct trials *t, ddpm_error *err);
/* Runs and times all trials, and makes the images of the reference.  Stops when the user
   interrupts. */
int trials_run(struct trials *t, ddpm_error *err);
/* Compares the images of all trials.  Stops when the user interrupts. */
int trials_compare(struct trials *t, ddpm_error *err);
/* Returns how many runs were discarded. */
int trials_discarded(const struct trials *t);
/* Returns how far the rounds of one trial lie apart: the median over trials of (slowest -
   fastest) / median; NAN: some have not two rounds. */
double trials_noise(const struct trials *t);
void trials_free(struct trials *t);
#endif
