/* A view of an image that lies in a file or in memory, and its conversion to the size and channels of a
   model. */
#ifndef DDPM_VIEW_H
#define DDPM_VIEW_H
#include <stdbool.h>
#include <stddef.h>
#include "ddpm.h"
#include "image/image_file.h"

/* How an image of another size is treated (--fit).  PAD puts it on black, CROP takes its middle,
   RESIZE scales it until it just covers the size, and takes the middle. */
enum view_fit { VIEW_EXACT, VIEW_PAD, VIEW_CROP, VIEW_RESIZE };

/* Which conversion of gray and colours was asked for (--gray, --color).  STORED: none, and picture files
   alone become what the model has. */
enum view_color { VIEW_STORED, VIEW_GRAY, VIEW_COLOR };

/* How images become the model's. */
struct view_how {
    enum view_fit fit;
    enum view_color color;
    bool trained; /* the model is yet to be trained, so it may be given an alpha */
};
/* Images that have the model's size and channels already. */
extern const struct view_how view_exact;

/* Returns the names of PAD, CROP and RESIZE; NULL ends the list. */
const char *const *view_fit_names(void);
/* Returns the names of GRAY and COLOR; NULL ends the list. */
const char *const *view_color_names(void);
/* Fills how from the name of a fit (NULL: EXACT) and of a conversion (NULL: STORED). */
void view_how_named(struct view_how *how, const char *fit, const char *color);
/* Fills how from --fit, --gray and --color.  DDPM_EUSAGE: the last two were given both. */
int view_how_read(struct view_how *how, const char *fit, bool gray, bool color, ddpm_error *err);
/* Returns DDPM_EUSAGE when the model's images are not what --gray or --color makes. */
int view_how_check(const struct view_how *how, const ddpm_about *a, ddpm_error *err);

/* How a number is stored, and what it means: x = number / half - 1, or x = number where half is 0. */
struct view_number {
    char kind; /* numpy's letter: u, i, f, or b for truth values */
    int bytes; /* 1, 2, 4 or 8 */
    bool big_endian;
    double half;
};
/* The number of a byte level, 0 to 255. */
extern const struct view_number view_byte;
/* Returns the number at p. */
double view_number_at(const unsigned char *p, const struct view_number *n);

struct view {
    const unsigned char *data;
    int height, width, channels;
    size_t step[3]; /* numbers to the next row, pixel and channel */
    struct view_number number;

    /* The channels are gray or RGB, followed by alpha where their count is even.  Otherwise they have no
       known meaning. */
    bool picture;
};

/* Fills x [h, w, c], in the size of the model a, with values in [-1, 1]; name is for messages.  A
   picture's channels become the model's: gray is repeated, colours become gray as ITU-R BT.601 weighs
   them, and a missing alpha is opaque.  Transparency is refused where the model has no alpha. */
int view_read(double *x, const struct view *v, const ddpm_about *a, const struct view_how *how,
              const char *name, ddpm_error *err);
/* Does the same for a picture file.  Sets *was to its size and type. */
int view_picture(double *x, struct image_file *was, const char *path, const ddpm_about *a,
                 const struct view_how *how, ddpm_error *err);
#endif
