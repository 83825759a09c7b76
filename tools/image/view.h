/* One image where it lies, and how it becomes one of the model's size and channels. */
#ifndef DDPM_VIEW_H
#define DDPM_VIEW_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"
#include "image/image_file.h"

/* --fit: data of another size.  PAD puts it on black, CROP takes its middle, RESIZE scales it until it just covers the size, then crops. */
enum view_fit { VIEW_EXACT, VIEW_PAD, VIEW_CROP, VIEW_RESIZE };

const char *const *view_fit_names(void);        /* of all but EXACT, NULL-terminated */
enum view_fit view_fit_named(const char *name); /* NULL: EXACT */

/* How a number is stored: kind is numpy's letter (u, i, f, b).  It means x = number / half - 1, or x = number
   where half is 0. */
struct view_number {
    char kind;
    int bytes;
    bool big_endian;
    double half;
};
extern const struct view_number view_byte;
double view_number_at(const unsigned char *p, const struct view_number *n);

/* step: how many numbers it is to the next row, pixel and channel.  The channels of a picture are gray or
   RGB, and alpha behind them where their count is even; those of other data mean nothing. */
struct view {
    const unsigned char *data;
    int height, width, channels;
    size_t step[3];
    struct view_number number;
    bool picture;
};

/* Fills x [h, w, c] of the model in [-1, 1]; name is for messages.  A picture's channels become the model's:
   gray is repeated, colours become gray as ITU-R BT.601 weighs them, and a missing alpha is opaque. */
int view_read(double *x, const struct view *v, const ddpm_about *a, enum view_fit fit, const char *name,
              ddpm_error *err);
/* Does the same for a file; was tells what it held.  Transparency is refused where the model has none. */
int view_picture(double *x, struct image_file *was, const char *path, const ddpm_about *a, enum view_fit fit,
                 ddpm_error *err);
#endif
