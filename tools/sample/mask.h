/* A mask says which pixels of a picture are painted anew: the white ones. */
#ifndef DDPM_MASK_H
#define DDPM_MASK_H
#include <stdbool.h>
#include "ddpm.h"
#include "image/view.h"

struct mask {
    bool *anew;      /* [h, w], owned; NULL: there is no mask */
    size_t channels; /* of the model's images */
    size_t pixels;   /* h * w */
    char sha256[65]; /* hash of `anew` */
};

/* Reads the mask at path; a pixel whose gray is above the middle is white.  DDPM_EDATA: it has another size
   than the model's images and fit is VIEW_EXACT, or it is transparent in places, or no pixel is white, or all
   are. */
int mask_open(struct mask *m, const char *path, const ddpm_about *a, enum view_fit fit, ddpm_error *err);
void mask_close(struct mask *m);
/* Fills known [h, w, c] with x where it is kept, and NAN where it is painted anew. */
void mask_known(const struct mask *m, double *known, const double *x);
#endif
