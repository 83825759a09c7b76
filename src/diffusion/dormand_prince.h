/* The embedded Runge-Kutta pair of Dormand and Prince; see dormand_prince.c. */
#ifndef DD_DORMAND_PRINCE_H
#define DD_DORMAND_PRINCE_H
#include <stddef.h>

enum { DD_DORMAND_PRINCE_STAGES = 7 };

/* Returns the place of a stage between the ends 0 and 1 of a step. */
double dd_dormand_prince_place(int stage);
/* Fills y [d] with the state at which a stage takes its slope: x [d] moved along the slopes k [7, d] of the
   stages before it.  The state of stage 6 is the result of the step. */
void dd_dormand_prince_state(double *y, const double *x, const double *k, double h, int stage, size_t d);
/* Returns element e of the estimated error of a step with the slopes k [7, d]. */
double dd_dormand_prince_error(const double *k, double h, size_t e, size_t d);
/* Returns the factor of the next step after one whose error was `error` times the tolerance. */
double dd_dormand_prince_factor(double error);
#endif
