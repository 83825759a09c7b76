/* The memory plan: the place of every home of a program in one block of activations. */
#ifndef DD_PLAN_H
#define DD_PLAN_H
#include "net/program.h"

struct dd_plan {
    size_t *offset; /* [homes] the offset of each home in the block, in floats */
    size_t floats;  /* the size of the block */
};

/* Plans the block for slices of at most `batch` images.  The caller frees it with dd_plan_free. */
int dd_plan_create(struct dd_plan *plan, const struct dd_program *p, int batch, ddpm_error *err);
void dd_plan_free(struct dd_plan *plan);
#endif
