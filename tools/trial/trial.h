/* A trial is a sampler with a number of steps.  All trials make images from the same noise,
   round by round, and are timed; then the quality of their images is measured. */
#ifndef DDPM_TRIAL_H
#define DDPM_TRIAL_H
#include "cli/machine_state.h"
#include "cli/options.h"
#include "cli/progress.h"
#include "image/dataset.h"
#include "image/picture.h"
#include "measure/sliced.h"

/* At most so many trials, rounds, and images in a set. */
enum { TRIALS_MAX = 64, ROUNDS_MAX = 20, TRIAL_IMAGES_MOST = 4096 };

struct trial {
    const char *sampler;
    int K;
    bool fixed; /* the sampler adds no noise: with more steps its images approach a limit */

    /* Time. */
    double step;                /* seconds per image and step, in the warm-up or the last round */
    double seconds[ROUNDS_MAX]; /* seconds per image in each round; NAN: every try was slowed down by heat */
    double median, spread;      /* their median, and (slowest - fastest) / median */
    double network, whole;      /* seconds in the network, and in all, without discarded runs */
    double memory;              /* peak of the process in bytes */
    int discarded;              /* runs that were slowed down by heat */

    /* Quality. */
    struct picture images;        /* all n images, one below the other, which is an array [n, h, w, c] */
    int lost;                     /* images that became NaN */
    bool compared;                /* measured and distance are known */
    struct sliced measured;       /* between its images and the reference; all trials have the same draws */
    struct set_distance distance; /* distance from the reference */
    double bits;                  /* bits per dimension; NAN: there are no data */
    double rmse, psnr, ssim;      /* compared with the same sampler's most steps; NAN: not compared */

    struct sliced_order farther; /* how much farther than the nearest trial; NAN: it is the nearest */
    bool front, knee;            /* the trial is on the Pareto front, is its knee (bench_quality.h) */
};

/* The time that an operation of the network took in all. */
struct layer_time {
    char name[96], op[24], engine[48];
    double seconds;
};

struct trials {
    /* Set by the caller. */
    const struct command *command;
    const struct common *common;
    const ddpm_model *model, *classifier; /* classifier NULL: there is none */
    const ddpm_about *about;
    const char *spacing, *variance;
    double guidance;
    const char *file; /* name of the model file */
    uint64_t seed;
    int n, least; /* images in a set; the budget may reduce n, but not below least, and after a round anew */
    int batch, rounds;
    struct dataset *data; /* NULL: there are no data */
    double budget; /* seconds for all, 0: no limit; sets get smaller, then the most steps are left out */
    double limit;  /* seconds per image, 0: no limit; trials that take more than twice as long are left out */
    struct trial trial[TRIALS_MAX];
    int count;

    /* Results. */
    struct trial reference; /* other images of the first sampler's most steps; with data only its K is used */
    double work;            /* seconds that each image of a set takes in all, estimated by the last round */
    double needed;          /* images in a set that would rank a row; 0: not estimated */
    int left_out;           /* numbers of steps that were left out for the budget */
    int largest;            /* the largest number of steps that was asked for */
    int slow;               /* trials that were left out for the limit */
    char engine_class[256], cpu[16];
    int threads, features;
    struct layer_time *layer; /* [layers] */
    size_t layers;
    double image_steps; /* images times steps that the times in layer cover */
    struct dd_system_state before, after;

    /* The state of the run. */
    struct common silent; /* the options for generators, which print nothing */
    struct progress progress;
    double done;  /* image steps that the progress bar has behind it */
    int made;     /* images of each set that all rounds so far have made */
    double begun; /* progress_now() at the first round */
    int most;     /* the largest n that a plan may have */
};

/* Checks, before the first step, that all trials can be run. */
int trials_check(struct trials *t, ddpm_error *err);
/* Runs and times all trials, and makes the images of the reference.  Stops when the user
   interrupts. */
int trials_run(struct trials *t, ddpm_error *err);
/* Measures the quality of the images of all trials.  Stops when the user interrupts. */
int trials_compare(struct trials *t, ddpm_error *err);
/* Returns how many runs were discarded. */
int trials_discarded(const struct trials *t);
/* Returns how much the rounds of a trial differ: the median over trials of (slowest - fastest) /
   median; NAN: a trial has fewer than two rounds. */
double trials_noise(const struct trials *t);
void trials_free(struct trials *t);
#endif
