/* Holds the results of an evaluation so far: sums over images for every step, and the bits of every image.
   An evaluation by the ODE has no sums, as its steps are not those of a chain.  Both are kept in a file, from
   which the next run goes on.  Images are added in the order of the data, so a
   run in pieces adds the same numbers in the same order. */
#ifndef DDPM_EVAL_SUMS_H
#define DDPM_EVAL_SUMS_H
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <stdint.h>
#include "ddpm.h"

/* The rows of eval_sums.sum, as in ddpm_bound_image. */
enum { EVAL_SUMS_TERM, EVAL_SUMS_MSE_EPS, EVAL_SUMS_MSE_X0, EVAL_SUMS_GAMMA, EVAL_SUMS_MSE, EVAL_SUMS_SUMS };

/* The columns of eval_sums.image: index in the data, checksum of the values, bits per dimension.  By the ODE
   the last bits are those of the change of density, and the calls of the network follow. */
enum {
    EVAL_SUMS_INDEX,
    EVAL_SUMS_CHECK,
    EVAL_SUMS_TOTAL,
    EVAL_SUMS_PRIOR,
    EVAL_SUMS_L0,
    EVAL_SUMS_CALLS,
    EVAL_SUMS_CHANGE = EVAL_SUMS_L0
};

struct eval_sums {
    int K;         /* steps of the chain; 0: by the ODE */
    int columns;   /* how many columns a row of `image` has: with CALLS by the ODE */
    size_t images; /* images measured so far */
    size_t lost;   /* those that became NaN; they are in no sum */
    size_t room;   /* images that fit in `image` */
    double *sum;   /* [EVAL_SUMS_SUMS, K] */
    double *image; /* [room, columns]; bits of a lost image are NaN */
};

/* A mean over images. */
struct eval_sums_mean {
    double mean;
    double half; /* half the width of its 95 % interval (Student); NaN for fewer than two images */
};

/* Begins sums for a chain of K steps, or with 0 for the ODE, and at most `room` images.  DDPM_ENOMEM is the
   only error; eval_sums_free is allowed after it too. */
int eval_sums_create(struct eval_sums *t, int K, size_t room, ddpm_error *err);
void eval_sums_free(struct eval_sums *t);
/* Adds an image: its index, the checksum of its values and its bound.  There must be room. */
void eval_sums_add(struct eval_sums *t, uint32_t index, uint32_t check, const ddpm_bound_image *image);
/* The same for an image that was measured by the ODE. */
void eval_sums_add_likelihood(struct eval_sums *t, uint32_t index, uint32_t check,
                              const ddpm_likelihood_image *image);
/* Returns the row of the k-th image. */
const double *eval_sums_row(const struct eval_sums *t, size_t k);
/* Returns the mean over images of one sum (EVAL_SUMS_TERM, ...) at chain position i. */
double eval_sums_at(const struct eval_sums *t, int sum, int i);
/* Returns the mean over images of one column (EVAL_SUMS_TOTAL, ...). */
struct eval_sums_mean eval_sums_mean(const struct eval_sums *t, int column);
/* Writes the file.  settings: an object of texts and numbers that says what was measured. */
int eval_sums_save(const struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err);
/* Reads the file.  DDPM_EUSAGE: it was made under other settings, which are named, or holds more
   images than there is room for.  DDPM_EDATA: it is damaged or something else. */
int eval_sums_load(struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err);
#endif
