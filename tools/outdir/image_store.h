/* A folder of images: which of them are there, by the manifest, and how one more gets in.

   The order is: temporary file, line of the manifest (synchronised), file (synchronised), rename, folder (synchronised).  After a crash
   anywhere an image is either listed and whole, or made again.  A file that is replaced stays until
   the rename, so the line comes last there. */
#ifndef DDPM_IMAGE_STORE_H
#define DDPM_IMAGE_STORE_H
#include "cli/folder.h"
#include "sample/image_output.h"
#include "outdir/manifest.h"

struct image_store {
    const ddpm_about *about;
    const struct recipe *recipe;
    const char *folder, *pattern;
    bool array, force, check, retry; /* check: read what is there; retry: lost images again */
    const char *part,
        *asked; /* of a shard (shard.h), or ""; the images that all shards are to make, "0-99" */
    struct folder_lock lock;
    struct manifest manifest;
    struct image_output image; /* the one being written */
    char *header;              /* the recipe's text */
    bool begun;                /* a manifest says what the folder holds */
    /* The files that --force found in the places of its images, by manifest-replaced.jsonl.  It goes with the
       last of them; waiting counts those whose images are still to be made. */
    struct manifest replaced;
    size_t waiting;
    char *path;
    size_t path_size;  /* room for the name of an image */
    int damaged;       /* images that check found to be remade */
    char warning[256]; /* about room on the disk, or "" */
};

/* "image-%06d.png" and the like: one %d or %0Nd, no folder, none of the program's own names, text that a
   manifest can hold. */
int image_store_check_pattern(const char *pattern, ddpm_error *err);
/* Locks the folder, or a part of it, before it is read; part and folder are set.  image_store_open does it where that was not possible before. */
int image_store_lock(struct image_store *a, double wait, ddpm_error *err);
/* Fields from about to lock are set by the caller.  todo [n] gets those of index [n] that are missing, in order, *missing of them; *lost
   counts those that were lost before and stay so.  Nothing is written unless something is missing.  DDPM_EUSAGE: the folder was begun
   with other settings.  DDPM_ECREATE: with force, the folder has images that are not among those of index. */
int image_store_open(struct image_store *a, uint32_t *todo, int *missing, int *lost, const uint32_t *index,
                     int n, ddpm_error *err);
/* frame [frames, h, w, c]; NULL: lost at step. */
int image_store_add(struct image_store *a, uint32_t index, const double *frame, int step, double seconds,
                    ddpm_error *err);
void image_store_close(struct image_store *a);
#endif
