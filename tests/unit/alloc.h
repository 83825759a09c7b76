/* Allocations that fail when a test says so: ddpm-check is linked with --wrap for malloc, calloc, realloc, aligned_alloc and strdup,
   and cJSON is given the same malloc.  What the C library and libcrypto allocate for themselves is not touched.

   A leak shows in check-asan. */
#ifndef ALLOC_H
#define ALLOC_H
#include "ddpm.h"

void alloc_fail_at(
    long n); /* the n-th allocation from now (1: the next) fails, and every later one, in all threads */
void alloc_fail_never(void);
long alloc_count(void); /* allocations, failed ones included, since either of these was called */
/* Runs it with every n-th allocation failing until one does not matter any more; returns how many did.  Until then the code must be
   DDPM_ENOMEM and the sentence speak of memory. */
long alloc_survive(int (*run)(void *context, ddpm_error *err), void *context);
#endif
