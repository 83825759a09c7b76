/* --force in a folder of images: it replaces all of them, or is refused before anything changes. */
#ifndef DDPM_IMAGE_REPLACE_H
#define DDPM_IMAGE_REPLACE_H
#include "outdir/image_store.h"

/* Checks that a new beginning leaves no image behind that no manifest would list.  DDPM_ECREATE: the folder
   has images that this run does not make again. readable: whether the manifests could be read; otherwise
   every file counts as an image. */
int image_replace_check(struct image_store *a, const struct image_work *w, bool readable, ddpm_error *err);
/* Lists the files that will be replaced in manifest-replaced.jsonl, so that after an interruption a start
   without --force can go on. */
int image_replace_note(struct image_store *a, const struct image_work *w, ddpm_error *err);
/* Sets a->waiting to the number of files that are still to be replaced.  Removes their list when it is 0. */
void image_replace_count(struct image_store *a);
/* Returns whether there is anything at path; a link counts, wherever it leads. */
bool image_replace_is_there(const char *path);
#endif
