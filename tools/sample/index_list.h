/* Reads a list of image indices such as "0,5,7-9". */
#ifndef DDPM_INDEX_LIST_H
#define DDPM_INDEX_LIST_H
#include <stdint.h>
#include "ddpm.h"

enum { INDEX_LIST_MAX = 10000000 };

/* Reads the list in text; if text is NULL, the list is 0..n-1.  *index [*count] is allocated, in the order of
   text.  DDPM_EUSAGE: text is no list, is too long, or has a number twice. */
int index_list(uint32_t **index, int *count, const char *text, int n, ddpm_error *err);
/* Returns the largest of index [n]; 0 if n is 0. */
uint32_t index_list_largest(const uint32_t *index, int n);
#endif
