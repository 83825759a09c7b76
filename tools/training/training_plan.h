/* The plan of a training: "net" and "diffusion" as in a model file, and "train".  It comes from a preset,
   then --config FILE (JSON with some of the three), then --set KEY=VALUE (net.widths=32,64; a key of "train"
   without its section: batch=32).  Later sources win.  Settings that nobody has made follow from others, see
   training_plan.c. */
#ifndef DDPM_TRAINING_PLAN_H
#define DDPM_TRAINING_PLAN_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include "ddpm.h"
#include "cli/options.h"

struct training_plan {
    cJSON *root;                  /* "net", "diffusion", "train" */
    ddpm_trainer_options options; /* from "train"; the caller sets steps, seed, threads, cpu, conv */
    bool flip;                    /* mirror images at random */
    bool cosine;                  /* lr_schedule is "cosine", else "constant" */
};

/* Returns the names of the presets, NULL-terminated. */
const char *const *training_presets(void);

/* The sources of a plan. */
struct training_plan_sources {
    const char *preset;
    const cJSON *init; /* metadata of a model whose "net" and "diffusion" are taken, or NULL */
    const struct option_texts *config, *set;
    int shape[3]; /* height, width and channels of the data; 0: not known */
};

/* Reads a plan.  DDPM_EUSAGE, DDPM_EDATA: a setting, which is named, does not exist or has a wrong value. */
int training_plan_read(struct training_plan *p, const struct training_plan_sources *from, ddpm_error *err);
/* Returns metadata for ddpm_model_create, to be released by cJSON_free; NULL: out of memory.  Their "source"
   names the data by file name and hash, --fit, and the conversion by --gray or --color (NULL: left out). */
char *training_plan_model(const struct training_plan *p, const char *file, const char *sha256,
                          const char *fit, const char *colors);
void training_plan_free(struct training_plan *p);
#endif
