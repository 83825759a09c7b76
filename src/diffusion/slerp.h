/* The way between two noises. */
#ifndef DD_SLERP_H
#define DD_SLERP_H
#include <stddef.h>

/* Fills x [d] with the point at the part u, 0 to 1, of the way from a [d] to b [d] on their great circle.  x
   is a to the bit at u = 0, and b at u = 1.  x may be neither a nor b. */
void dd_slerp(double *x, const double *a, const double *b, double u, size_t d);
#endif
