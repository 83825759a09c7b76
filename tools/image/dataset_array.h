/* A file that holds many images of one size, as an array of numbers: IDX (also .gz), CIFAR-10
   binary, .npy or .npz.  The numbers stay where they lie in the mapped file, or in the memory that
   they were inflated to. */
#ifndef DDPM_DATASET_ARRAY_H
#define DDPM_DATASET_ARRAY_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "ddpm.h"
#include "image/view.h"

struct dataset_array {
    struct dd_file map;
    int descriptor;          /* the open file, which tells whether it has changed */
    unsigned char *inflated; /* allocated bytes of a .gz or .npz, where data lie; NULL otherwise */

    const unsigned char *data; /* images, stride bytes apart */
    size_t count, stride;
    int height, width, channels;
    size_t step[3];            /* numbers to the next row, pixel and channel, as in a view */
    struct view_number number; /* how each number is stored */

    bool class_byte;  /* a byte before the pixels of each image is its class */
    int32_t *classes; /* [count] classes from a file or array beside the images, or NULL */
    char note[160];   /* what was guessed from the data, or empty */
};

/* Opens the file at path.  A .gz is inflated as far as its first `most` images; 0: all.  DDPM_EDATA: the
   file is damaged or no data set; DDPM_EMISSING; DDPM_ENOMEM.  After an error *a is closed. */
int dataset_array_open(struct dataset_array *a, const char *path, size_t most, ddpm_error *err);
void dataset_array_close(struct dataset_array *a);
/* Returns DDPM_EDATA when the file has changed since it was opened.  An inflated file is in memory and
   cannot change. */
int dataset_array_unchanged(const struct dataset_array *a, const char *name, ddpm_error *err);

/* ---- for the readers of the formats ---- */

/* One deflated byte expands to at most this many. */
enum { DATASET_INFLATES = 1032 };

/* Returns DDPM_EDATA: the file is no data set.  The message names the file type if known. */
int dataset_array_refuse(const struct dataset_array *a, const char *path, ddpm_error *err);
/* Sets sizes, stride and steps of a for numbers a->number that lie in the order dim [4] = n, h, w, c.
   Refuses sizes that do not fit into `size` bytes. */
int dataset_array_shape(struct dataset_array *a, const char *path, const uint64_t dim[4], size_t size,
                        ddpm_error *err);

bool dataset_is_numpy(const unsigned char *p, size_t size);
/* Reads an array of numpy, p [size], which lies in a->map or a->inflated. */
int dataset_numpy(struct dataset_array *a, const char *path, const unsigned char *p, size_t size,
                  ddpm_error *err);
/* Reads the images in a .npz, and the classes beside them. */
int dataset_npz(struct dataset_array *a, const char *path, ddpm_error *err);
/* Reads an array of `count` integers of rank 1 into *classes, allocated.  DDPM_EDATA: p [size] is
   something else. */
int dataset_numpy_classes(int32_t **classes, const char *path, const unsigned char *p, size_t size,
                          size_t count, ddpm_error *err);
/* Reads the labels beside an IDX file into *classes, allocated: labels for "train-images-idx3-ubyte.gz"
   are in "train-labels-idx1-ubyte.gz", or in the file of this name without .gz.  *classes stays as it is
   when there is no such file. */
int dataset_labels(int32_t **classes, const char *images, size_t count, ddpm_error *err);
#endif
