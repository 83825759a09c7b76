/* A data set: images that are measured or learned from.  It is a folder of pictures, a folder of CIFAR-10
   batches, or a file of many images (dataset_array.h).  A set is opened, checked once, which reads every
   image, and then read image by image.  The order is that of the file, or of the names in the folder. */
#ifndef DDPM_DATASET_H
#define DDPM_DATASET_H
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"
#include "image/dataset_array.h"
#include "image/image_folder.h"
#include "image/view.h"

/* An image [h, w, c] that is kept in memory and not read again.  It is stored as byte levels, or as
   float32 if it has other values.  Both are NULL when it is not kept. */
struct dataset_kept {
    unsigned char *level;
    float *value;
};

/* The findings of dataset_check: counts of pictures that were given other channels, of pictures with 16
   bits, and the largest value. */
struct dataset_seen {
    size_t repeated; /* gray pictures taken as RGB */
    size_t grayed;   /* pictures in colour taken as gray */
    size_t opaque;   /* pictures with no alpha, taken as opaque */
    size_t wide;     /* pictures of 16 bits a value */
    double largest;  /* largest value of all images, in [-1, 1] */
};

struct dataset {
    const char *path;
    const ddpm_about *about; /* the model: size and channels of x, and its classes */
    struct view_how how;
    size_t count;
    uint32_t *index; /* [count] places of the images in the set; bad ones are left out */

    struct image_folder folder;
    struct dataset_array *array;
    size_t arrays; /* 1, or the number of CIFAR-10 batches */
    size_t there;  /* images in the set, also those that index leaves out */
    size_t tests;  /* CIFAR-10 test batches in the folder, which are left out */
    char *test;    /* name of the first test batch, or NULL */

    struct dataset_seen seen;
    struct dataset_kept *kept; /* [there]; NULL when no image is kept */
    size_t room;               /* bytes left for more kept images */
};

/* Opens the set at path, which outlives d.  It takes the first `most` images, DDPM_EUSAGE: there are
   fewer; 0: all.  about may be set later in d, before an image is read.  After an error *d is closed. */
int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, const struct view_how *how,
                 size_t most, ddpm_error *err);
/* Fills shape with height, width and channels of the first image as it is stored, or with as many channels as
   the conversion that was asked for makes.  A folder has three channels when any of its pictures has
   colours. */
int dataset_shape(const struct dataset *d, int shape[3], ddpm_error *err);
/* Lets dataset_check keep images in up to `bytes` bytes of memory, from which dataset_read then takes
   them. */
int dataset_keep(struct dataset *d, size_t bytes, ddpm_error *err);

/* Fills x [h, w, c], in the size of the model, with image k, 0 <= k < count.  Values lie in [-1, 1]: a
   byte level v becomes v / 127.5 - 1, any other number is rounded to float32. */
int dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err);
/* Returns the class of image k; -1: the image has no class. */
int dataset_class(const struct dataset *d, size_t k);
/* Checks that every class is below the classes of the model.  given >= 0: the class of every image instead
   of its own.  advice ends the sentence of the error. */
int dataset_check_classes(const struct dataset *d, int given, const char *advice, ddpm_error *err);

typedef void dataset_bad_fn(void *user, const ddpm_error *why);
typedef int dataset_each_fn(void *user, const double *x, size_t k);
/* Reads every image once.  DDPM_EUSAGE: the conversion that was asked for does not make the model's channels.
   With bad NULL, the first bad image is the error.  Otherwise bad is called with
   each bad image, which is left out; DDPM_EDATA: no image is left.  each, where not NULL, is called with
   each good image; when it returns non-zero, the check ends with DDPM_ECALLBACK. */
int dataset_check(struct dataset *d, dataset_bad_fn *bad, dataset_each_fn *each, void *user, ddpm_error *err);

typedef void dataset_tell_fn(void *user, const char *line);
/* Tells what users should know about a checked set, one line at a time: what was left out, which class has
   which number, what was converted. */
void dataset_notes(const struct dataset *d, dataset_tell_fn *tell, void *user);
void dataset_close(struct dataset *d);

/* dataset_open.c: opens the set as folder or arrays, without a list of its images. */
int dataset_open_source(struct dataset *d, size_t most, ddpm_error *err);
#endif
