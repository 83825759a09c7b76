/* The settings of `ddpm sample` from its options, and the checks that need no model. */
#ifndef DDPM_SAMPLE_SETTINGS_H
#define DDPM_SAMPLE_SETTINGS_H
#include <stdbool.h>
#include <stdint.h>
#include "cli/options.h"
#include "sample/image_format.h"
#include "sample/recipe.h"

struct sample_settings {
    struct common common;

    /* The images to be made. */
    const char *model, *classifier, *size, *class, *index, *noise, *from;
    int64_t images; /* 0: not given */
    uint64_t seed;
    double noise_to, strength; /* negative: not given */
    const char *fit, *mask;
    int64_t resample, jump; /* 0: not given */
    bool encode, gray, color;
    const char *between;
    int64_t frames; /* 0: not given */

    /* The way in which they are made. */
    const char *steps, *spacing, *sampler, *variance, *clip;
    int64_t order, corrector;
    bool fast;
    double guidance;
    const char *rate;
    double eta, snr; /* snr SNR_UNSET: not given */

    /* The files that they are written to. */
    const char *output, *outdir, *name, *format, *shard;
    int64_t keep_steps, scale; /* scale 0: not given */
    double fps;                /* 0: not given */
    int64_t loop;              /* -1: not given */
    double wait;
    bool force, show, check_existing, retry_nan;

    /* The limits of time and memory. */
    const char *deadline;
    int64_t batch;
    double max_time, memory;
};

enum { SNR_UNSET = -1 };

/* The largest distance to the teacher's images (mean per element, values from -1 to 1) that --fast accepts.
   The best solver without tuning has about this distance with 10 steps. */
#define FAST_DISTANCE 0.05

/* Returns the format of the files, from --format or else from the ending of the file's name. */
const struct image_format *sample_settings_format(const struct sample_settings *s);
/* Returns whether --max-time or --deadline limits the run. */
bool sample_settings_timed(const struct sample_settings *s);
/* Returns whether --steps is auto: the time limit chooses the number of steps. */
bool sample_settings_auto_steps(const struct sample_settings *s);
/* Returns how many images a way between two images has. */
int sample_settings_frames(const struct sample_settings *s);
/* Refuses settings that contradict each other. */
int sample_settings_check(const struct sample_settings *s, ddpm_error *err);
/* Sets sampler and steps of r for --fast: the model's tuned solver with the fewest steps whose images are
   within FAST_DISTANCE of the teacher's, or else unipc with 10 steps.  Returns r's steps, allocated; NULL:
   out of memory. */
char *sample_settings_fast(struct recipe *r, const ddpm_about *a);
/* Sets the steps of r for --sampler tuned without --steps: those of the solver that --fast would take or, if
   none is near enough, of the solver with the most steps.  Returns them as sample_settings_fast does. */
char *sample_settings_tuned(struct recipe *r, const ddpm_about *a);

/* Returns how often an inpainting goes through each part of the chain with this sampler: as often as
   --resample says, else as in the paper with its sampler, once with others. */
int sample_settings_resample(const struct sample_settings *s, const char *sampler);
/* Fills r from s, whose strings it points to.  It leaves out what depends on the model and on files
   (clip, hashes). */
void sample_settings_recipe(struct recipe *r, const struct sample_settings *s);
#endif
