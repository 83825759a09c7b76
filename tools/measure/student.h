/* The quantiles by which a 95 % interval of a mean is computed. */
#ifndef DDPM_STUDENT_H
#define DDPM_STUDENT_H
#include <stddef.h>

/* Returns the t for which a variable with Student's distribution lies between -t and t in 95 % of cases;
   freedom: degrees of freedom, at least 1. */
double student_quantile(size_t freedom);
/* Returns the same for the normal distribution, which is the limit for many degrees of freedom. */
double normal_quantile(void);
#endif
