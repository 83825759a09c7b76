/* Finds which of the images asked for are to be made. */
#ifndef DDPM_MISSING_IMAGES_H
#define DDPM_MISSING_IMAGES_H
#include "outdir/image_store.h"

/* Fills todo, missing and lost of w.  An image is missing if it is not listed, if it is listed and its file
   is not there, or if it was lost and a->retry is set.  With a->check it is also missing if its file is not
   what the manifest says (a->damaged counts these).  DDPM_ECREATE: something else lies in the place of an
   image. */
int missing_images_find(struct image_store *a, struct image_work *w, ddpm_error *err);
#endif
