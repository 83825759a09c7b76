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
    int descriptor;          /* of the file; tells whether it has changed */
    unsigned char *inflated; /* of a .gz or .npz; data lie in here.  NULL otherwise */

    const unsigned char *data; /* count images, stride bytes apart */
    size_t count, stride;
    int height, width, channels;
    size_t step[3];            /* numbers to the next row, pixel and channel, as in a view */
    struct view_number number; /* how one is stored */

    bool class_byte;  /* the byte before the pixels is the class */
    int32_t *classes; /* [count] of a file or array beside the images, or NULL */
    char note[160];   /* what was concluded from the data, or empty */
};

/* Opens the file at path.  most: only so many images are wanted, and taken out of a .gz; 0: all.
   DDPM_EDATA: it is damaged or no data set; DDPM_EMISSING; DDPM_ENOMEM.  After an error *a is
   closed. */
int dataset_array_open(struct dataset_array *a, const char *path, size_t most, ddpm_error *err);
void dataset_array_close(struct dataset_array *a);
/* Returns DDPM_EDATA when the file is not as it was when it was opened.  An inflated file is in
   memory and cannot change. */
int dataset_array_unchanged(const struct dataset_array *a, const char *name, ddpm_error *err);

/* ---- for the readers of the formats ---- */

/* Returns DDPM_EDATA: it is no data set, and what it is where its bytes say so. */
int dataset_array_refuse(const struct dataset_array *a, const char *path, ddpm_error *err);
/* Takes the sizes dim [4] = n, h, w, c of a->number, which lie in this order in size bytes; refuses
   what they cannot hold. */
int dataset_array_shape(struct dataset_array *a, const char *path, const uint64_t dim[4], size_t size,
                        ddpm_error *err);

bool dataset_is_numpy(const unsigned char *p, size_t size);
/* Reads an array of numpy, p [size], which lies in a->map or a->inflated. */
int dataset_numpy(struct dataset_array *a, const char *path, const unsigned char *p, size_t size,
                  ddpm_error *err);
/* Reads the images in a .npz, and the classes beside them. */
int dataset_npz(struct dataset_array *a, const char *path, ddpm_error *err);
/* Reads integers of rank 1, as many as there are images, into *classes, allocated; DDPM_EDATA when
   p [size] is something else. */
int dataset_numpy_classes(int32_t **classes, const char *path, const unsigned char *p, size_t size,
                          size_t count, ddpm_error *err);
/* Reads the labels beside an IDX file into *classes, allocated: those of
   "train-images-idx3-ubyte.gz" are in "train-labels-idx1-ubyte.gz", or in the same without .gz.
   NULL when there is no such file. */
int dataset_labels(int32_t **classes, const char *images, size_t count, ddpm_error *err);
#endif
