/* Images to be measured or learned from: a folder of pictures, or one of CIFAR-10's batches, or a
   file of many images (dataset_array.h).  A set is opened, checked once, which reads every image,
   and then read image by image.  The order is that of the file, or of the names in the folder. */
#ifndef DDPM_DATASET_H
#define DDPM_DATASET_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"
#include "image/dataset_array.h"
#include "image/image_folder.h"
#include "image/view.h"

/* An image [h, w, c] that is kept in memory and not read again: as byte levels, or as float32 where
   it has other values.  Both are NULL when it is not kept. */
struct dataset_kept {
    unsigned char *level;
    float *value;
};

/* Counts of pictures that dataset_check saw: those that were given other channels,
   and those of 16 bits. */
struct dataset_seen {
    size_t repeated; /* gray ones as RGB */
    size_t grayed;   /* colours as gray */
    size_t opaque;   /* an alpha that they lack */
    size_t wide;     /* 16 bits */
    double largest;  /* of all values, in [-1, 1] */
};

struct dataset {
    const char *path;
    const ddpm_about *about; /* of the model: the size and channels of x, and its classes */
    enum view_fit fit;
    size_t count;
    uint32_t *index; /* [count] place in the set, of which bad images are left out */

    struct image_folder folder;
    struct dataset_array *array;
    size_t arrays; /* one, or CIFAR-10's several */
    size_t there;  /* images in all */
    size_t tests;  /* test batches of CIFAR-10's folder that are left out */
    char *test;    /* the first of them, or NULL */

    struct dataset_seen seen;
    struct dataset_kept *kept; /* [there], or NULL */
    size_t room;               /* bytes that are left for more of them */
};

/* Opens the set at path, which outlives d.  most: the first so many images, DDPM_EUSAGE when there
   are fewer; 0: all. about may be set later in d, before an image is read.  After an error *d is
   closed. */
int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, enum view_fit fit, size_t most,
                 ddpm_error *err);
/* Fills shape with height, width and channels of the first image as it is stored.  A folder has
   three channels when any of its pictures has colours. */
int dataset_shape(const struct dataset *d, int shape[3], ddpm_error *err);
/* Makes dataset_check keep images in so many bytes of memory; dataset_read takes them from there. */
int dataset_keep(struct dataset *d, size_t bytes, ddpm_error *err);

/* Fills x [h, w, c] of the model, in [-1, 1]: byte levels v / 127.5 - 1, or numbers of
   float32.  0 <= k < count. */
int dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err);
/* Returns the class of image k; -1: it has none. */
int dataset_class(const struct dataset *d, size_t k);
/* Checks that every class is below the classes of the model.  given, when not negative, stands for
   all of them; advice ends the error's sentence. */
int dataset_check_classes(const struct dataset *d, int given, const char *advice, ddpm_error *err);

typedef void dataset_bad_fn(void *user, const ddpm_error *why);
typedef int dataset_each_fn(void *user, const double *x, size_t k);
/* Reads every image once.  The first bad one is an error; with bad not NULL each is told and left
   out, and DDPM_EDATA says that none is left.  each, when not NULL, is given every image that is
   good; when it returns non-zero, the check ends with DDPM_ECALLBACK. */
int dataset_check(struct dataset *d, dataset_bad_fn *bad, dataset_each_fn *each, void *user, ddpm_error *err);

typedef void dataset_tell_fn(void *user, const char *line);
/* Tells what users should know of a set that was checked, a line each: what was left out, which
   class is which number, what was converted. */
void dataset_notes(const struct dataset *d, dataset_tell_fn *tell, void *user);
void dataset_close(struct dataset *d);

/* dataset_open.c: opens the set as folder or arrays, without a list of its images. */
int dataset_open_source(struct dataset *d, size_t most, ddpm_error *err);
#endif
