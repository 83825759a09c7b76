/* Reads which images of a seed are asked for: "0,5,7-9" as numbers. */
#ifndef DDPM_INDEX_LIST_H
#define DDPM_INDEX_LIST_H
#include <stdint.h>
#include "ddpm.h"

enum { INDEX_LIST_MAX = 10000000 };

/* Reads a list; text NULL: 0..n-1.  *index [*count] is allocated, in the order of text; no number occurs
   twice. */
int index_list(uint32_t **index, int *count, const char *text, int n, ddpm_error *err);
/* Returns the largest of index [n]; 0 for none. */
uint32_t index_list_largest(const uint32_t *index, int n);
#endif
