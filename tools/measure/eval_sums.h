/* What an evaluation has found so far: sums over images for every step, the parts of every image, and both in a file to go on from.
   Images are added in the order of the data, so that a run in pieces adds the same numbers in the same order. */
#ifndef DDPM_EVAL_SUMS_H
#define DDPM_EVAL_SUMS_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

enum { EVAL_SUMS_TERM, EVAL_SUMS_MSE_EPS, EVAL_SUMS_MSE_X0, EVAL_SUMS_GAMMA, EVAL_SUMS_MSE, EVAL_SUMS_SUMS };

enum { EVAL_SUMS_INDEX, EVAL_SUMS_CHECK, EVAL_SUMS_TOTAL, EVAL_SUMS_PRIOR, EVAL_SUMS_L0, EVAL_SUMS_COLUMNS };

struct eval_sums {
    int K;
    size_t images, lost, room; /* lost: of the images, those that became NaN; they are in no sum */
    double *sum;               /* [EVAL_SUMS_SUMS, K] */
    double *image; /* [room, EVAL_SUMS_COLUMNS]: index, CRC-32 of its values, bits per dimension or NaN */
};

/* half: of the 95 % interval by Student's distribution, NaN for fewer than two images. */
struct eval_sums_mean {
    double mean, half;
};

int eval_sums_create(struct eval_sums *t, int K, size_t room, ddpm_error *err);
void eval_sums_free(struct eval_sums *t);
void eval_sums_add(struct eval_sums *t, uint32_t index, uint32_t check, const ddpm_bound_image *image);
double eval_sums_at(const struct eval_sums *t, int sum, int i); /* mean over images at chain position i */
struct eval_sums_mean eval_sums_mean(const struct eval_sums *t, int column);
/* settings: an object of texts and numbers that says what the numbers are of. */
int eval_sums_save(const struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err);
/* DDPM_EUSAGE when the file was made under other settings, which are named, or holds more images than there is room for. */
int eval_sums_load(struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err);
#endif
