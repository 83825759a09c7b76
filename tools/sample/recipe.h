/* A recipe is all on which an image depends, beside its index.  The text of a PNG is a recipe with the
   indices of its images; the first line of a manifest is one without. */
#ifndef DDPM_RECIPE_H
#define DDPM_RECIPE_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum { SCALE_MOST = 512 };

enum { CLASS_NONE = -1, CLASS_ALL = -2 }; /* no class; class = index mod classes */

struct recipe {
    const char *model;        /* its id */
    const char *engine_class; /* the string of ddpm_net_about */
    uint64_t seed;
    const char *sampler, *variance, *spacing;
    const char *steps; /* as ddpm_chain_respace takes them; a list after generator_open */
    double eta;
    double clip; /* 0: none */
    int order, corrector;
    double snr;       /* as in ddpm_sampler_options */
    const char *from; /* hash of the image that is started from, or "" */
    double noise_to;  /* the step that it is noised or encoded to */
    bool encode;
    int class;          /* a class, or CLASS_... */
    int keep_steps;     /* how many states of each image are shown, at least 1 */
    int scale;          /* the pixels of a picture are scale x scale; 0 is as 1 */
    const char *noise;  /* hash of a file of given noise, or "" */
    const char *format; /* "png", "npy" */
};

/* Reads a class as --class takes it: a number, "all", or NULL for no class. */
int recipe_class(int *class, const char *text, ddpm_error *err);
/* Returns r as JSON, allocated; without "indices" when n is 0.  NULL: out of memory. */
char *recipe_text(const struct recipe *r, const uint32_t *index, int n);
/* Parses settings into *root (cJSON_Delete).  Earlier versions wrote `schedule` for the key `spacing`: it
   is renamed. */
int recipe_parse(cJSON **root, const char *text, const char *name, ddpm_error *err);
/* Reads such a text: r points into *root (cJSON_Delete), *index [*n] is allocated.  Both are NULL after an
   error. */
int recipe_read(struct recipe *r, cJSON **root, uint32_t **index, int *n, const char *text, const char *name,
                ddpm_error *err);
/* Returns DDPM_EUSAGE unless both texts hold the same settings; the sentence names those that differ, and
   `name`, in which one was found. */
int recipe_compare(const char *found, const char *wanted, const char *name, ddpm_error *err);
/* Returns whether both texts hold the same settings; false too where one of them holds none. */
bool recipe_same(const char *found, const char *wanted);
#endif
