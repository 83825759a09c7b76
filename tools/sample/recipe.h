/* A recipe holds everything on which an image depends, except its index.  A PNG holds a recipe as text with
   the indices of its images; the first line of a manifest is a recipe without indices. */
#ifndef DDPM_RECIPE_H
#define DDPM_RECIPE_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "cli/image_size.h"
#include "ddpm.h"

enum { SCALE_MOST = 512, GUIDANCE_MOST = 1000, RESAMPLE_MOST = 256, JUMP_MOST = 65536 };

/* NONE: no class, be it that the model has none or that it knows how to do without; ALL: the class of
   an image is its index mod classes; LIST: it is that of a list, index mod its length; UNSAID: nobody has
   chosen. */
enum { CLASS_NONE = -1, CLASS_ALL = -2, CLASS_UNSAID = -3, CLASS_LIST = -4 };

struct recipe {
    const char *model;        /* id of the model */
    const char *engine_class; /* engine class by ddpm_net_about */
    struct image_size size;   /* of the images, or 0 where it is the model's own */
    uint64_t seed;
    const char *sampler, *variance, *spacing;
    const char *steps; /* text for ddpm_chain_respace; generator_open makes a list of it */
    double eta;
    double clip; /* bound of |x0|; 0: no clipping */
    int order, corrector;
    double snr;       /* signal-to-noise ratio of Langevin steps (ddpm_sampler_options) */
    const char *rate; /* the steps' lengths of the sampler sde (rate.h), or NULL where alpha_bar gives them */
    const char *from; /* hash of the images that sampling starts from, or "" */
    const char *fit;  /* how they were brought to the size of the images (view.h), or NULL */
    const char *colors; /* "gray" or "color" where they were converted (view.h), or NULL */
    const char *mask;   /* hash of the mask of pixels that are painted anew, or NULL */
    int resample, jump; /* how an inpainting goes back (ddpm_keep) */
    double noise_to;    /* the step up to which that image is noised or encoded */
    bool encode;
    const char *between; /* the ends of a way between two images (between.h), or NULL */
    int frames;          /* how many images the way has */
    int class;           /* a class, or CLASS_... */
    const int *classes;  /* [class_count] those of CLASS_LIST */
    int class_count;
    double guidance;        /* scale of the guidance (ddpm_guidance_options); 1: none */
    const char *classifier; /* id of the classifier, whose scale guidance then is, or NULL */
    int keep_steps;         /* how many states of each image are shown, at least 1 */
    int scale;              /* a pixel of an image is scale x scale pixels of a picture; 0 means 1 */
    const char *noise;      /* hash of a file of given noise, or "" */
    double fps;             /* of a film, frames a second; 0: it is no film */
    int loop;               /* how often a film is shown; 0: without end */
    const char *format;     /* name of the files' format (image_format.h) */
};

/* Returns the class of an image by a recipe's class and list [count], for a model of this many classes;
   `classes` itself is the null class. */
int recipe_class_of(int class, const int *list, int count, uint32_t index, int classes);
/* Returns r as JSON, allocated; without "indices" when n is 0.  NULL: out of memory. */
char *recipe_text(const struct recipe *r, const uint32_t *index, int n);
/* Parses settings into *root, to be released by cJSON_Delete.  Earlier versions wrote the key `spacing` as
   `schedule`; it is renamed. */
int recipe_parse(cJSON **root, const char *text, const char *name, ddpm_error *err);

/* A recipe that was read from a text with indices. */
struct stored_recipe {
    struct recipe recipe; /* its texts are those of root */
    cJSON *root;
    int *classes;    /* those of the recipe, or NULL */
    uint32_t *index; /* [n], the images */
    int n;
};

/* Reads a text with indices, to be released by recipe_free, also after an error.  DDPM_EDATA: a key is
   missing or has a wrong value; `name` is where text was found. */
int recipe_read(struct stored_recipe *s, const char *text, const char *name, ddpm_error *err);
void recipe_free(struct stored_recipe *s);
/* Returns DDPM_EUSAGE unless both texts hold the same settings; the sentence names those that differ, and
   `name`, where `found` was read. */
int recipe_compare(const char *found, const char *wanted, const char *name, ddpm_error *err);
/* Returns whether both texts hold the same settings; false if one of them holds no settings. */
bool recipe_same(const char *found, const char *wanted);
#endif
