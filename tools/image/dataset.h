/* Images to be measured or learned from: a folder of pictures, an IDX file (also .gz), CIFAR-10's binary
   files, or arrays of numpy. */
#ifndef DDPM_DATASET_H
#define DDPM_DATASET_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "ddpm.h"
#include "image/image_folder.h"
#include "image/view.h"

/* A file that holds many images of one size, count of them, stride bytes apart; the byte before the pixels may be a class. */
struct dataset_array {
    struct dd_file map;
    unsigned char *inflated; /* of a .gz or .npz; data is in here */
    const unsigned char *data;
    size_t count, stride;
    int height, width, channels;
    size_t step[3];
    struct view_number number; /* as in a view */
    bool class_byte;           /* the byte before the pixels is the class */
    int32_t *classes;          /* [count] of a file or array beside the images, or NULL */
    char note[160];            /* what was concluded from the data, or empty */
    int descriptor;            /* tells whether the file has changed */
};

/* most: only this many are wanted, and taken out of a .gz. */
int dataset_array_open(struct dataset_array *a, const char *path, size_t most, ddpm_error *err);
/* DDPM_EDATA: it is no data set, and what it is where its bytes say so. */
int dataset_array_refuse(const struct dataset_array *a, const char *path, ddpm_error *err);
/* Returns DDPM_EDATA when the file is not as it was when it was opened; what was inflated is in memory. */
int dataset_array_unchanged(const struct dataset_array *a, const char *name, ddpm_error *err);
/* Takes the sizes dim [4] = n, h, w, c of a->number, which lie in this order in size bytes; refuses what they
   cannot hold. */
int dataset_array_shape(struct dataset_array *a, const char *path, const uint64_t dim[4], size_t size,
                        ddpm_error *err);
/* An array of numpy, p [size]; the first of them in a .npz, its classes beside it. */
bool dataset_is_numpy(const unsigned char *p, size_t size);
int dataset_numpy(struct dataset_array *a, const char *path, const unsigned char *p, size_t size,
                  ddpm_error *err);
int dataset_npz(struct dataset_array *a, const char *path, ddpm_error *err);
/* Integers of rank 1, as many as there are images; DDPM_EDATA when they are something else. */
int dataset_numpy_classes(int32_t **classes, const char *path, const unsigned char *p, size_t size,
                          size_t count, ddpm_error *err);
void dataset_array_close(struct dataset_array *a);
/* The labels of "train-images-idx3-ubyte.gz" are "train-labels-idx1-ubyte.gz", or the same without .gz; NULL when there is no such file. */
int dataset_labels(int32_t **classes, const char *images, size_t count, ddpm_error *err);

/* An image [h, w, c] that is not read again: byte levels, or float32 where it has others; both NULL when it
   is not kept. */
struct dataset_kept {
    unsigned char *level;
    float *value;
};

/* What dataset_check saw of pictures: how many were given other channels, and how many have 16 bits. */
struct dataset_seen {
    size_t repeated, grayed, opaque, wide;
    double largest;
};

struct dataset {
    const char *path;
    const ddpm_about *about;
    enum view_fit fit;
    size_t count;
    uint32_t *index; /* [count] place in the set, of which bad ones are left out */
    struct image_folder folder;
    struct dataset_array *array;
    size_t arrays; /* one, or CIFAR-10's several */
    size_t there;  /* images in all */
    size_t tests;  /* how many test batches of CIFAR-10's folder are left out */
    char *test;    /* the first of them, or NULL */
    struct dataset_seen seen;
    struct dataset_kept *kept; /* [there], or NULL */
    size_t room;               /* bytes that are left for more of them */
};

/* path outlives d.  most 0: all; otherwise the first so many, DDPM_EUSAGE when there are fewer.  about may be given later, before an
   image is read. */
int dataset_open(struct dataset *d, const char *path, const ddpm_about *about, enum view_fit fit, size_t most,
                 ddpm_error *err);
/* Height, width and channels of the first image as it is stored; in a folder three channels when any picture
   has colours. */
int dataset_shape(const struct dataset *d, int shape[3], ddpm_error *err);
/* dataset_check will keep images in so much memory: what is kept is never read again. */
int dataset_keep(struct dataset *d, size_t bytes, ddpm_error *err);
/* x [h, w, c] of the model in [-1, 1], byte levels or numbers of float32; 0 <= k < count. */
int dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err);
int dataset_class(const struct dataset *d, size_t k); /* -1: has none */
/* Checks that every class is below the classes of the model; given, when not negative, stands for all of them.  advice ends the sentence. */
int dataset_check_classes(const struct dataset *d, int given, const char *advice, ddpm_error *err);
/* Reads every image once.  The first bad one is an error, or with bad not NULL each is told and left out; DDPM_EDATA when none is left.
   each, when not NULL, is given every image that is not; non-zero ends it with DDPM_ECALLBACK. */
typedef void dataset_bad_fn(void *user, const ddpm_error *why);
typedef int dataset_each_fn(void *user, const double *x, size_t k);
int dataset_check(struct dataset *d, dataset_bad_fn *bad, dataset_each_fn *each, void *user, ddpm_error *err);
/* What is to be said once about data that were checked, a line each: what was left out, which class is which
   number, what was converted. */
typedef void dataset_tell_fn(void *user, const char *line);
void dataset_notes(const struct dataset *d, dataset_tell_fn *tell, void *user);
void dataset_close(struct dataset *d);
#endif
