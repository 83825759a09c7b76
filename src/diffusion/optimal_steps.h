/* The lists of steps with the least bound, see optimal_steps.c. */
#ifndef DD_OPTIMAL_STEPS_H
#define DD_OPTIMAL_STEPS_H
#include "base/error.h"

enum { DD_OPTIMAL_STEPS_MAX = 4096 }; /* T at most: time grows with its cube, memory with its square */

/* The paths of least cost from node 0 to the last with 1, 2, ..., most nodes. */
struct dd_optimal_steps {
    int nodes, most;
    double *least;  /* [most] cost with k + 1 nodes, INFINITY where there is no such path */
    uint16_t *from; /* [most, nodes] the node before, on the best path with k + 1 nodes that ends there */
};

/* cost [nodes, nodes]: of going from r (column) down to s < r (row); the rest is not read. */
int dd_optimal_steps_create(struct dd_optimal_steps *p, const double *cost, int nodes, int most,
                            ddpm_error *err);
void dd_optimal_steps_free(struct dd_optimal_steps *p);
/* node [count], ascending; least[count - 1] is finite. */
void dd_optimal_steps_path(const struct dd_optimal_steps *p, double *node, int count);

/* L of the step from r down to s < r in bits per dimension, as the model's statistics say. */
double dd_optimal_steps_term(const ddpm_about *a, int s, int r);
/* c [K], K >= 2: the spacing "optimal"; an error when the model has no statistics. */
int dd_optimal_steps(double *c, int K, const ddpm_about *a, ddpm_error *err);
#endif
