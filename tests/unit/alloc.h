/* Allocations that fail when a test says so. ddpm-check is linked with --wrap for malloc, calloc, realloc,
   strdup and the system's aligned blocks, and cJSON is given the same malloc. Allocations that the C
   library and libcrypto make for themselves are not touched.

   A leak shows in check-asan. */
#ifndef ALLOC_H
#define ALLOC_H
#include "ddpm.h"

/* Counts an allocation and returns whether it may succeed; what is wrapped begins with it. */
int alloc_allowed(void);
/* Lets the n-th allocation from now (1: the next) fail, and every later one, in all threads. */
void alloc_fail_at(long n);
void alloc_fail_never(void);
/* Returns the allocations, failed ones included, since the last call of either of these. */
long alloc_count(void);
/* Calls run with every allocation from the n-th on failing, for n = 1, 2, ..., until a failure does not
   matter any more. Returns how many did. Each must give the code DDPM_ENOMEM and a sentence about
   memory. */
long alloc_survive(int (*run)(void *context, ddpm_error *err), void *context);
#endif
