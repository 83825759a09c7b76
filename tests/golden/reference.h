/* Reads the numbers of the original implementations: the JSON files in ../shared/reference/diffusion,
   and the few runs of them that lie in tests/golden/data/diffusion, so that every checkout checks
   something. */
#ifndef REFERENCE_H
#define REFERENCE_H
#include <cjson/cJSON.h>
#include "ddpm.h"

/* Runs test on NAME.json of the source tree, then on that of ../shared, or skips with the reason. */
void reference_each(const char *name, void (*test)(const cJSON *root));

cJSON *reference_read(const char *path); /* fails the test and returns NULL when it cannot */
/* Returns the item at a path such as "openai.runs"; fails the test when it is missing. */
const cJSON *reference_get(const cJSON *object, const char *path);
double reference_number(const cJSON *object, const char *path);
const char *reference_text(const cJSON *object, const char *path);
/* Returns the numbers of an array, with infinity for null; the caller frees them. n may be NULL. */
double *reference_numbers(const cJSON *object, const char *path, int *n);

/* Returns max |a - b| / max(1, max |b|) for a and b [n]. */
double reference_distance(const double *a, const double *b, int n);
/* Returns the tolerance of a run by the rule of the reference's README: ten times the larger of the two
   figures measured for it (its "check"), but at least 1e-12. */
double reference_tolerance(const cJSON *run);

/* The network of the reference runs, whose eps is exact for a mixture of three Gaussians (mixture.json),
   x [n, 48]. `user` of its function is this struct. */
enum { MIXTURE_D = 48, MIXTURE_K = 3 };

struct mixture {
    double weight[MIXTURE_K], mean[MIXTURE_K][MIXTURE_D], variance[MIXTURE_K][MIXTURE_D], alpha_bar[1000];
    int learned;
};

int mixture_read(struct mixture *m);
int mixture_eps(void *mixture, double *out, const double *x, double t, const int32_t *classes, int n,
                ddpm_error *err);
/* Computes eps [48] at x [48] for any alpha_bar. */
void mixture_eps_at(const struct mixture *m, double *eps, const double *x, double alpha_bar);
/* Fills z [n] with the reference's noise z[step, i] from i = first on, where i = image * 48 + element. */
void reference_noise(double *z, int step, int first, int n, uint64_t seed);
/* A ddpm_noise_fn. The reference numbers its noise by executed step: x_T is 0, and the step that leaves
   position i of the chain is K - i. */
void reference_run_noise(void *tables, double *z, size_t d, uint32_t index, double t, int draw);
#endif
