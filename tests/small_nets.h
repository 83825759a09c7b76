/* Networks small enough for tests, which together have every kind of node. */
#ifndef SMALL_NETS_H
#define SMALL_NETS_H
#include "ddpm.h"

struct small_net {
    const char *name, *net, *diffusion;
};
extern const struct small_net small_nets[]; /* ends with name NULL */
const struct small_net *small_net_find(const char *name);
/* The metadata of a model, in text [size]. */
void small_net_json(char *text, size_t size, const char *name);
/* With weights drawn from seed 1; fails the test and returns NULL when it cannot be made. */
ddpm_model *small_net_create(const char *name);

/* n images of noise that is the same for the same image, with t, classes (NULL without classes) and room for the output. */
struct small_batch {
    float *x, *t, *out;
    int32_t *classes;
    int n;
    size_t in, outs;
}; /* in, outs: floats of an image */
struct small_batch small_batch_create(const ddpm_model *m, int n);
void small_batch_free(struct small_batch *b);
#endif
