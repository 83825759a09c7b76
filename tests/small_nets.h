/* Networks small enough for tests. Together they have every kind of node. */
#ifndef SMALL_NETS_H
#define SMALL_NETS_H
#include "ddpm.h"

struct small_net {
    const char *name, *net, *diffusion;
};
extern const struct small_net small_nets[]; /* the last one has the name NULL */
const struct small_net *small_net_find(const char *name);
/* Writes the metadata of a model into text [size]. */
void small_net_json(char *text, size_t size, const char *name);
/* Makes the model with weights drawn from seed 1. When it cannot be made, fails the test and returns
   NULL. */
ddpm_model *small_net_create(const char *name);

/* A batch of n images with t, classes (NULL for a model without classes) and room for the output. An
   image's noise depends on its place alone. in and outs are the floats of one image, read and
   written. */
struct small_batch {
    float *x, *t, *out;
    int32_t *classes;
    int n;
    size_t in, outs;
};
struct small_batch small_batch_create(const ddpm_model *m, int n);
void small_batch_free(struct small_batch *b);
#endif
