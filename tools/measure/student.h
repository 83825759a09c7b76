/* The quantile behind a 95 % interval of a mean of few values. */
#ifndef DDPM_STUDENT_H
#define DDPM_STUDENT_H
#include <stddef.h>

/* Returns t for which a variable of Student's distribution with these degrees of freedom, at
   least 1, lies within -t to t in 95 % of cases. */
double student_quantile(size_t freedom);
/* Returns the same of the normal distribution, the limit for many degrees of freedom. */
double normal_quantile(void);
#endif
