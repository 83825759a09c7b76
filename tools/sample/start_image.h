/* Pictures from which sampling starts instead of from noise alone: one, a list "a.png,b.png" or a folder.
   Image index i starts from picture i mod count. */
#ifndef DDPM_START_IMAGE_H
#define DDPM_START_IMAGE_H
#include <stdint.h>
#include "ddpm.h"
#include "image/image_folder.h"
#include "image/view.h"

struct start_image {
    struct image_folder folder; /* the pictures of a folder */
    char *list;                 /* the texts of the paths below */
    const char **path;          /* [count] */
    int count;                  /* 0: sampling starts with noise */
    char (*hash)[65];           /* [count] hashes of the pixels as the pictures hold them */
    char sha256[65];            /* that of one picture, or the hash of several hashes */

    const ddpm_about *about;
    struct view_how how;
    double *x;   /* [h, w, c], the picture that was read last, values in [-1, 1] */
    size_t held; /* its place in path */
};

/* Fills s with the paths of the pictures at path, which may be a list or a folder, and reads none of them.
   DDPM_EMISSING: one is not there; DDPM_EUSAGE: a name in the list is empty; DDPM_EDATA: no picture lies
   below the folder. */
int start_image_list(struct start_image *s, const char *path, ddpm_error *err);
/* Reads every picture once.  DDPM_EDATA: one has another size than the model's images and how->fit is
   VIEW_EXACT, or it has other channels and no conversion was asked for either. */
int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, const struct view_how *how,
                     ddpm_error *err);
/* Points *x [h, w, c] at the picture of an image, until the next call.  DDPM_EDATA: its file has changed. */
int start_image_read(struct start_image *s, const double **x, uint32_t index, ddpm_error *err);
void start_image_close(struct start_image *s);
#endif
