/* One image where it lies, and how it becomes one of the model's size. */
#ifndef DDPM_VIEW_H
#define DDPM_VIEW_H
#include <stdbool.h>
#include "ddpm.h"

/* --fit: data of another size.  PAD puts it on black, CROP takes its middle, RESIZE scales it until it just covers the size, then crops. */
enum view_fit { VIEW_EXACT, VIEW_PAD, VIEW_CROP, VIEW_RESIZE };
const char *const *view_fit_names(void);                       /* of all but EXACT, NULL-terminated */
enum view_fit view_fit_named(const char *name);                /* NULL: EXACT */

/* A pixel is step values long, or a value of each plane; bytes, or float32 (little-endian, at any address) in [-1, 1]. */
struct view { const unsigned char *data; int height, width, channels, step; bool floats, planar; };
/* x [h, w, c] of the model in [-1, 1], a byte v being v / 127.5 - 1; name is for messages. */
int view_read(double *x, const struct view *v, const ddpm_about *a, enum view_fit fit, const char *name, ddpm_error *err);
#endif
