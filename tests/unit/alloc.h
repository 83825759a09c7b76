/* Allocations that fail when a test says so: ddpm-check is linked with --wrap for malloc, calloc, realloc, aligned_alloc and strdup,
   and cJSON is given the same malloc.  What the C library and libcrypto allocate for themselves is not touched.

     for (long n = 1; ; n++) {
         alloc_fail_at(n);
         int code = thing_create(&thing, &err);
         alloc_fail_never();
         if (code == DDPM_OK)
             break;
         CHECK(code == DDPM_ENOMEM);
     }                                     a leak shows in check-asan */
#ifndef ALLOC_H
#define ALLOC_H

void alloc_fail_at(long n);        /* the n-th allocation from now (1: the next) fails, and every later one, in all threads */
void alloc_fail_never(void);
long alloc_count(void);            /* allocations, failed ones included, since either of these was called */
#endif
