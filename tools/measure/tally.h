/* What an evaluation has found so far: sums over images for every step, the parts of every image, and both in a file to go on from.
   Images are added in the order of the data, so that a run in pieces adds the same numbers in the same order. */
#ifndef DDPM_TALLY_H
#define DDPM_TALLY_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum { TALLY_TERM, TALLY_MSE_EPS, TALLY_MSE_X0, TALLY_GAMMA, TALLY_MSE, TALLY_SUMS };

enum { TALLY_INDEX, TALLY_CHECK, TALLY_TOTAL, TALLY_PRIOR, TALLY_L0, TALLY_COLUMNS };

struct tally {
    int K;
    size_t images, lost, room; /* lost: of the images, those that became NaN; they are in no sum */
    double *sum;               /* [TALLY_SUMS, K] */
    double *image; /* [room, TALLY_COLUMNS]: index, CRC-32 of its values, bits per dimension or NaN */
};

/* half: of the 95 % interval by Student's distribution, NaN for fewer than two images. */
struct tally_mean {
    double mean, half;
};

int tally_create(struct tally *t, int K, size_t room, ddpm_error *err);
void tally_free(struct tally *t);
void tally_add(struct tally *t, uint32_t index, uint32_t check, const ddpm_bound_image *image);
double tally_at(const struct tally *t, int sum, int i); /* mean over images at chain position i */
struct tally_mean tally_mean(const struct tally *t, int column);
/* settings: an object of texts and numbers that says what the numbers are of. */
int tally_save(const struct tally *t, const char *path, const cJSON *settings, ddpm_error *err);
/* DDPM_EUSAGE when the file was made under other settings, which are named, or holds more images than there is room for. */
int tally_load(struct tally *t, const char *path, const cJSON *settings, ddpm_error *err);
#endif
