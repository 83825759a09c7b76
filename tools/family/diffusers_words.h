/* Words in diffusers' configurations, and ours for the same things (checkpoint-families.md 1, 8.1).  The
   import reads the lists from left to right, the export from right to left. */
#ifndef DDPM_DIFFUSERS_WORDS_H
#define DDPM_DIFFUSERS_WORDS_H

struct word {
    const char *theirs, *ours;
};

/* Each list ends with {NULL, NULL}.  Its first entry is diffusers' default.  If two words mean the same,
   the export writes the first. */
extern const struct word diffusers_acts[], diffusers_predictions[], diffusers_variances[],
    diffusers_time_shifts[], diffusers_samplers[];

/* Their noise schedules; our name adds the betas: their linear is "f32:linear:1e-4,0.02". */
enum { DIFFUSERS_LINEAR, DIFFUSERS_SCALED_LINEAR, DIFFUSERS_COSINE, DIFFUSERS_SIGMOID, DIFFUSERS_SCHEDULES };

extern const struct word diffusers_schedules[];

/* The kinds of blocks of a level: without attention, with a convolution as sampler; with a residual block
   as sampler; with attention, and the sampler that downsample_type or upsample_type names. */
enum { DIFFUSERS_PLAIN, DIFFUSERS_RESIDUAL, DIFFUSERS_ATTENTION, DIFFUSERS_BLOCKS };

extern const char *const diffusers_blocks[2][DIFFUSERS_BLOCKS]; /* [0]: way down, [1]: way up */

/* Returns the first word of diffusers for ours; NULL: diffusers has none. */
const char *diffusers_word(const struct word *list, const char *ours);

/* Writes our name of their schedule between the betas `start` and `end`. */
void diffusers_schedule(char name[128], int schedule, double start, double end, int zero_snr);
#endif
