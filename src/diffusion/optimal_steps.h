/* The lists of steps with the least bound, see optimal_steps.c. */
#ifndef DD_OPTIMAL_STEPS_H
#define DD_OPTIMAL_STEPS_H
#include "base/error.h"

/* The largest T.  Time grows with its cube, memory with its square. */
enum { DD_OPTIMAL_STEPS_MAX = 4096 };

/* The paths with the least cost from node 0 to the last node, with 1, 2, ..., most nodes.

   least   [most] the cost with k + 1 nodes, INFINITY if there is no such path
   from    [most, nodes] the node before, on the best path with k + 1 nodes that ends there */
struct dd_optimal_steps {
    int nodes, most;
    double *least;
    uint16_t *from;
};

/* Finds the paths.  cost [nodes, nodes] is the cost of going from r (column) down to s < r (row); the other
   entries are not read. */
int dd_optimal_steps_create(struct dd_optimal_steps *p, const double *cost, int nodes, int most,
                            ddpm_error *err);
void dd_optimal_steps_free(struct dd_optimal_steps *p);

/* Fills node [count], ascending, with the best path.  least[count - 1] must be finite. */
void dd_optimal_steps_path(const struct dd_optimal_steps *p, double *node, int count);

/* Returns L of the step from r down to s < r in bits per dimension, by the model's statistics. */
double dd_optimal_steps_term(const ddpm_about *a, int s, int r);

/* Fills c [K], K >= 2, with the spacing "optimal".  Fails when the model has no statistics. */
int dd_optimal_steps(double *c, int K, const ddpm_about *a, ddpm_error *err);
#endif
