/* The settings of `ddpm sample` as its options give them, and what can be said of them before the model is
   read. */
#ifndef DDPM_SAMPLE_SETTINGS_H
#define DDPM_SAMPLE_SETTINGS_H
#include <stdbool.h>
#include <stdint.h>
#include "cli/options.h"
#include "sample/recipe.h"

struct sample_settings {
    struct common common;
    /* What is made. */
    const char *model, *class, *index, *noise, *from;
    int64_t images; /* 0: not given */
    uint64_t seed;
    double noise_to; /* negative: not given */
    bool encode;
    /* How it is made. */
    const char *steps, *spacing, *sampler, *variance, *clip;
    int64_t order, corrector;
    bool fast;
    double eta, snr; /* snr SNR_UNSET: not given */
    /* Where it goes. */
    const char *output, *outdir, *name, *format, *shard;
    int64_t keep_steps, scale; /* scale 0: not given */
    double wait;
    bool force, show, check_existing, retry_nan;
    /* What it may take. */
    const char *deadline;
    int64_t batch;
    double max_time, memory;
};

enum { SNR_UNSET = -1 };

/* The choices of --clip and --format, NULL-terminated. */
const char *const *sample_settings_clips(void);
const char *const *sample_settings_formats(void);

/* Mean distance per element, of values from -1 to 1: about that of 10 steps of the best solver that is not
   tuned. */
#define FAST_DISTANCE 0.05

/* Returns the format of what is written, "png" or "npy": that of --format, else of the ending of the
   file's name. */
const char *sample_settings_format(const struct sample_settings *s);
/* Returns whether the run ends by a time. */
bool sample_settings_timed(const struct sample_settings *s);
/* Returns whether the time chooses the number of steps. */
bool sample_settings_auto_steps(const struct sample_settings *s);
/* Returns the bound of |x0| that is asked for, of a model whose own may be 0; 0: none. */
double sample_settings_clip(const struct sample_settings *s, const ddpm_about *a);
/* Refuses settings that contradict each other. */
int sample_settings_check(const struct sample_settings *s, ddpm_error *err);
/* Sets sampler and steps of r as --fast takes them for a model: its tuned solver of the fewest steps whose
   images are within FAST_DISTANCE of the teacher's, else unipc of 10 steps.  Returns r's steps,
   allocated;  NULL: out of memory. */
char *sample_settings_fast(struct recipe *r, const ddpm_about *a);
/* Fills r with what an image depends on; its strings are those of s.  The model's part (clip, hashes) is
   left out. */
int sample_settings_recipe(struct recipe *r, const struct sample_settings *s, ddpm_error *err);
#endif
