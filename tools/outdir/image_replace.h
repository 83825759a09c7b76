/* --force in a folder of images: it replaces all of them, or is refused before anything changes. */
#ifndef DDPM_IMAGE_REPLACE_H
#define DDPM_IMAGE_REPLACE_H
#include "outdir/image_store.h"

/* Refuses to begin anew where the folder has images that this run does not make: nothing would list them any
   more. readable: whether the manifests could be read; otherwise every file counts as an image. */
int image_replace_check(struct image_store *a, const struct image_work *w, bool readable, ddpm_error *err);
/* Writes down, in manifest-replaced.jsonl, which files are replaced, so that a start without --force goes
   on. */
int image_replace_note(struct image_store *a, const struct image_work *w, ddpm_error *err);
/* Sets a->waiting to the number of files that are still to be replaced.  Removes their list when it is 0. */
void image_replace_count(struct image_store *a);
/* Returns whether there is anything at path; a link counts, wherever it leads. */
bool image_replace_is_there(const char *path);
#endif
