/* One run of `ddpm sample`: its settings, and what makes and takes the images. */
#ifndef DDPM_SAMPLE_JOB_H
#define DDPM_SAMPLE_JOB_H
#include "outdir/batch.h"
#include "outdir/shard.h"
#include "sample/generator.h"
#include "sample/image_output.h"
#include "sample/sample_settings.h"

struct sample_job {
    const struct command *command;
    const struct sample_settings *s;
    struct recipe recipe;
    struct time_budget time_budget;
    struct between between;          /* the ends of --between */
    char between_text[BETWEEN_TEXT]; /* them as the recipe holds them */
    char *pictures;                  /* the list of those that are pictures, or NULL */
    int *classes;                    /* those of several classes, or NULL */
    char *steps;                     /* the steps that --steps auto or --fast has chosen, or NULL */
    uint32_t *index;                 /* [n] the images of this shard */
    int n;

    struct shard shard;
    char range[32];  /* "0-99", the images of all shards */
    int all;         /* how many images all shards make */
    uint32_t *whole; /* [all] their indices, if variables made this a shard without --shard */
    int left;        /* how many of them are missing at the end */

    ddpm_model *model, *classifier; /* classifier NULL: there is none */
    struct generator generator;
    struct image_output image_output; /* the file without --outdir */
    struct batch batch;               /* the folder with --outdir */
    double seconds;                   /* time for making the images */
};

/* Opens everything that the run of j->command with the settings j->s needs, and says what the user may want
   to change.  The caller has set j->batch.image_store.lock to folder_not_locked.  A shard without images
   opens nothing.  sample_job_close releases all, also after an error. */
int sample_job_open(struct sample_job *j, ddpm_error *err);
void sample_job_close(struct sample_job *j);

/* Returns the name of the file without --outdir. */
const char *sample_job_output(const struct sample_job *j);
#endif
