/* Images to be measured or learned from: a folder of pictures, an IDX file (also .gz), CIFAR-10's binary files, or a .npy array. */
#ifndef DDPM_DATASET_H
#define DDPM_DATASET_H
#include <stdbool.h>
#include <stdint.h>
#include "base/file.h"
#include "ddpm.h"

enum dataset_fit { DATASET_EXACT, DATASET_PAD, DATASET_CROP };       /* --fit: data of another size; PAD on black, both centred */

/* A file that holds many images of one size, count of them, stride bytes apart; a label, one byte, before the pixels. */
struct dataset_array {
    struct dd_file map;
    unsigned char *inflated;                                        /* of a .gz; data is in here */
    const unsigned char *data;
    size_t count, stride;
    int height, width, channels;
    bool floats, planar, labelled;                                  /* float32 in [-1, 1], else bytes; [c, h, w], else [h, w, c] */
};
/* most: only this many are wanted, and taken out of a .gz. */
int  dataset_array_open(struct dataset_array *a, const char *path, size_t most, ddpm_error *err);
void dataset_array_close(struct dataset_array *a);

struct dataset {
    const char *path;
    const ddpm_about *about;
    enum dataset_fit fit;
    size_t count;
    uint32_t *index;                                                /* [count] place in the set, of which bad ones are left out */
    char **file; size_t files;                                      /* of a folder, sorted by name */
    struct dataset_array *array; size_t arrays;                     /* one, or CIFAR-10's several */
};
/* path outlives d.  most 0: all; otherwise the first so many, DDPM_EUSAGE when there are fewer. */
int  dataset_open(struct dataset *d, const char *path, const ddpm_about *about, enum dataset_fit fit, size_t most, ddpm_error *err);
/* x [h, w, c] of the model in [-1, 1]; 0 <= k < count. */
int  dataset_read(const struct dataset *d, double *x, size_t k, ddpm_error *err);
int  dataset_label(const struct dataset *d, size_t k);              /* -1: has none */
/* Reads every image once.  The first bad one is an error, or with bad not NULL each is told and left out; DDPM_EDATA when none is left. */
typedef void dataset_bad_fn(void *user, const ddpm_error *why);
int  dataset_check(struct dataset *d, dataset_bad_fn *bad, void *user, ddpm_error *err);
void dataset_close(struct dataset *d);
#endif
