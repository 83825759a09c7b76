/* A folder of images: which of them are there, by the manifest, and how one more gets in.

   An image is written in this order: temporary file, line of the manifest (synchronised), file
   (synchronised), rename, folder (synchronised).  After a crash anywhere an image is either listed and
   whole, or made again.  Where an image replaces a file, the file stays until the rename and the line
   comes last. */
#ifndef DDPM_IMAGE_STORE_H
#define DDPM_IMAGE_STORE_H
#include "cli/folder.h"
#include "sample/image_output.h"
#include "outdir/manifest.h"

struct image_store {
    /* Set by the caller. */
    const ddpm_about *about;
    const struct recipe *recipe;
    const char *folder, *pattern; /* pattern of the names (image_name.h) */
    bool array, force;
    bool check;        /* read the images that are there */
    bool retry;        /* make images again that were lost to NaN */
    const char *part;  /* of a shard (shard.h), or "" */
    const char *asked; /* the images that all shards are to make, "0-99" */
    struct folder_lock lock;

    struct manifest manifest;
    struct image_output image; /* the one being written */
    char *header;              /* the recipe's text */
    bool begun;                /* a manifest says what the folder holds */
    /* The files that --force found in the places of its images, by manifest-replaced.jsonl.  The list goes
       with the last of them; waiting counts those whose images are still to be made. */
    struct manifest replaced;
    size_t waiting;
    char *path;
    size_t path_size;  /* room for the name of an image */
    int damaged;       /* images that check found to be remade */
    int named;         /* images that are there under other names than the pattern's */
    char warning[256]; /* about room on the disk, or "" */
};

/* The images asked for, and what is left to do of them. */
struct image_work {
    const uint32_t *index; /* [n] asked for */
    int n;
    uint32_t *todo; /* [n] room for the missing ones, in the order of index */
    int missing;
    int lost; /* lost to NaN before, and not tried again */
};

/* Locks the folder, or a part of it, before it is read; part and folder are set.  image_store_open does it
   where that was not possible before. */
int image_store_lock(struct image_store *a, double wait, ddpm_error *err);
/* Opens the folder and fills todo, missing and lost of w, whose index, n and todo are set by the caller.
   Nothing is written unless something is missing.  DDPM_EUSAGE: the folder was begun with other settings.
   DDPM_ECREATE: with force, the folder has images that are not among those of index. */
int image_store_open(struct image_store *a, struct image_work *w, ddpm_error *err);
/* Adds a finished image, frame [frames, h, w, c], or NULL for one that was lost at `step`. */
int image_store_add(struct image_store *a, uint32_t index, const double *frame, int step, double seconds,
                    ddpm_error *err);
void image_store_close(struct image_store *a);

/* Sets a->path to that of an image: its listed name, or the pattern with the index.  Returns the name. */
char *image_store_path(struct image_store *a, uint32_t index, const struct manifest_line *line);
/* Returns the number of values of a file of one image. */
double image_store_values(const struct image_store *a);
#endif
