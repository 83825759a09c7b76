/* A folder of diffusers: its files of weights, and what the folder tells about them. */
#ifndef DDPM_DIFFUSERS_FOLDER_H
#define DDPM_DIFFUSERS_FOLDER_H
#include <cjson/cJSON.h>
#include "checkpoint/source.h"

/* The files of a checkpoint, which may also be one file without a folder. */
struct files {
    struct dd_arena arena;
    struct source *source; /* one file, or one for each shard; the first has all tensors in one state */
    size_t sources;
    int sharded;
    const char *weights; /* path of the file of weights, or of the index of the shards */

    cJSON *config, *scheduler; /* each may be NULL */
    const char *scheduler_path;
    int scheduler_above; /* the scheduler lies in a folder around the given one */

    const char *label;          /* what file and folder names tell about the weights: "ema", "raw" or "" */
    int both;                   /* the folder has averaged and raw weights to choose from */
    const char *others;         /* the name of a file beside the weights that has other weights, or NULL */
    const char *average_beside; /* the name of the average beside raw weights, or NULL */
};

/* Opens the weights in the folder at path.  want: "ema", "raw" or NULL, as in checkpoint_open. */
int diffusers_folder_open(struct files *f, const char *path, const char *want, ddpm_error *err);
/* Reads the files beside a single file of diffusers' weights, configuration and scheduler, and what the
   folder tells about the weights. */
int diffusers_folder_beside(struct files *f, const char *path, ddpm_error *err);
#endif
