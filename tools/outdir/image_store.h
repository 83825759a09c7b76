/* A folder of images: says which images are there, by the manifest, and adds new ones.

   An image is written in this order: temporary file, line of the manifest (synchronised), file
   (synchronised), rename, folder (synchronised).  So after a crash an image is either listed and whole, or it
   is made again.  If an image replaces a file, the file stays until the rename, and the line comes last. */
#ifndef DDPM_IMAGE_STORE_H
#define DDPM_IMAGE_STORE_H
#include "cli/folder.h"
#include "sample/image_output.h"
#include "outdir/manifest.h"

struct image_store {
    /* Set by the caller. */
    const ddpm_about *about;
    const struct recipe *recipe;
    const char *folder, *pattern; /* pattern: of the images' names (image_name.h) */
    const struct image_format *format;
    bool force;
    bool check;        /* read the images that are there, and find damaged ones */
    bool retry;        /* make images again that were lost to NaN */
    const char *part;  /* the shard's part of file names, "-0-of-4" (shard.h), or "" */
    const char *asked; /* the images that all shards are to make, "0-99" */
    struct folder_lock lock;

    struct manifest manifest;
    struct image_output image; /* the file being written */
    char *header;              /* the recipe as text, the manifest's first line */
    bool begun;                /* a manifest with settings was found */
    /* The files that --force found in the places of its images, from manifest-replaced.jsonl.  `waiting`
       counts those whose images are still to be made; at 0 the list is removed. */
    struct manifest replaced;
    size_t waiting;
    char *path;        /* [path_size] the file that is looked at or written */
    size_t path_size;  /* enough for the folder and the name of any image */
    int damaged;       /* images that `check` found damaged */
    int named;         /* images that are there under other names than the pattern's */
    char warning[256]; /* a warning that the disk may become full, or "" */
};

/* The images asked for, and those of them that are still to be made. */
struct image_work {
    const uint32_t *index; /* [n] the images asked for */
    int n;
    uint32_t *todo; /* [n]: the first `missing` are to be made, in the order of index */
    int missing;
    int lost; /* images lost to NaN before and not tried again */
};

/* Locks the folder, or the shard's part of it, for a caller that reads it before image_store_open; folder and
   part are set.  If the folder is not locked yet, image_store_open locks it. */
int image_store_lock(struct image_store *a, double wait, ddpm_error *err);
/* Opens the folder and fills todo, missing and lost of w; the caller has set index and n, and todo to room.
   Nothing is written unless something is missing.  DDPM_EUSAGE: the folder was begun with other settings.
   DDPM_ECREATE: with force, the folder has images that are not among those of index. */
int image_store_open(struct image_store *a, struct image_work *w, ddpm_error *err);
/* Adds a finished image.  frame [frames, h, w, c]; NULL: the image was lost to NaN at `step`.  seconds: what
   making it took. */
int image_store_add(struct image_store *a, uint32_t index, const double *frame, int step, double seconds,
                    ddpm_error *err);
void image_store_close(struct image_store *a);

/* Sets a->path to the file of an image, by its line or, if that is NULL, by the pattern and the index.
   Returns the name in it. */
char *image_store_path(struct image_store *a, uint32_t index, const struct manifest_line *line);
/* Returns the number of values in the file of one image. */
double image_store_values(const struct image_store *a);
#endif
