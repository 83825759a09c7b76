/* Reading the numbers of the original implementations: JSON files of ../shared/reference/diffusion, and the few runs of them that lie
   in tests/golden/data/diffusion, so that every checkout checks something. */
#ifndef REFERENCE_H
#define REFERENCE_H
#include <cjson/cJSON.h>
#include "ddpm.h"

/* Runs test on NAME.json of the tree, then on that of ../shared, or skips with the reason. */
void reference_each(const char *name, void (*test)(const cJSON *root));

cJSON *reference_read(const char *path); /* fails the test and returns NULL when it cannot */
const cJSON *reference_get(const cJSON *object,
                           const char *path); /* "openai.runs"; fails the test when missing */
double reference_number(const cJSON *object, const char *path);
const char *reference_text(const cJSON *object, const char *path);
/* The numbers of an array, malloc'ed; null is infinity.  n may be NULL. */
double *reference_numbers(const cJSON *object, const char *path, int *n);

/* max |a - b| / max(1, max |b|), a and b [n] */
double reference_distance(const double *a, const double *b, int n);
/* Ten times the larger of the two figures measured for a run (its "check"), not below 1e-12: the rule of the reference's README. */
double reference_tolerance(const cJSON *run);

/* The eps of the reference runs: exact for a mixture of three Gaussians, x [n, 48] (mixture.json); user is this struct. */
enum { MIXTURE_D = 48, MIXTURE_K = 3 };

struct mixture {
    double weight[MIXTURE_K], mean[MIXTURE_K][MIXTURE_D], variance[MIXTURE_K][MIXTURE_D], alpha_bar[1000];
    int learned;
};

int mixture_read(struct mixture *m);
int mixture_eps(void *mixture, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err);
/* eps [48] at x [48] for any alpha_bar. */
void mixture_eps_at(const struct mixture *m, double *eps, const double *x, double alpha_bar);
/* z[step, i] of the reference, i = image * 48 + element. */
void reference_noise(double *z, int step, int first, int n, uint64_t seed);
/* A ddpm_noise_fn: the reference numbers its noise by executed step, x_T is 0, the step that leaves position i of the chain is K - i. */
void reference_run_noise(void *tables, double *z, size_t d, uint32_t index, double t, int draw);
#endif
