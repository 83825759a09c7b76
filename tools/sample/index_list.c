/* The text is read twice: first the numbers are counted, then stored in an array of that size.  Their order
   is kept; a number that occurs twice is refused. */
#include "sample/index_list.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

/* Returns the number at *p and moves *p behind its digits; -1: there is no number, or it is not below
   2^31. */
static int64_t take_number(const char **p)
{
    int64_t v = 0;
    int digits = 0;

    /* An eleventh digit is read so that the number is refused. */
    while (digits < 11 && isdigit((unsigned char)**p)) {
        v = 10 * v + (**p - '0');
        digits++;
        (*p)++;
    }
    return digits && v <= INT32_MAX ? v : -1;
}

/* Returns how many numbers the text lists; stores them if index is not NULL.  -1: the text is no such
   list. */
static int64_t walk(uint32_t *index, const char *text)
{
    int64_t n = 0;
    for (const char *p = text;; p++) {
        int64_t first = take_number(&p), last = first;
        if (first >= 0 && *p == '-') {
            p++;
            last = take_number(&p);
        }
        if (first < 0 || last < first || (*p && *p != ',') || n + last - first >= INDEX_LIST_MAX)
            return -1;

        for (int64_t i = first; i <= last; i++, n++)
            if (index)
                index[n] = (uint32_t)i;
        if (!*p)
            return n;
    }
}

static int compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* Returns the smallest number that occurs twice; -1: no number does; -2: out of memory. */
static int64_t doubled(const uint32_t *index, int n)
{
    int64_t found = -1;
    uint32_t *sorted = malloc((size_t)n * sizeof *sorted);
    if (!sorted)
        return -2;

    memcpy(sorted, index, (size_t)n * sizeof *sorted);
    qsort(sorted, (size_t)n, sizeof *sorted, compare);
    for (int i = 1; i < n && found < 0; i++)
        if (sorted[i] == sorted[i - 1])
            found = sorted[i];
    free(sorted);
    return found;
}

int index_list(uint32_t **index, int *count, const char *text, int n, ddpm_error *err)
{
    int64_t size = text ? walk(NULL, text) : n, twice = -1;
    if (size < 0)
        return dd_error(err, DDPM_EUSAGE,
                        "--index %.80s: expected numbers and ranges such as 0,5,7-9, at most %d images", text,
                        INDEX_LIST_MAX);

    *index = malloc((size_t)size * sizeof **index);
    *count = (int)size;
    for (int i = 0; *index && !text && i < n; i++)
        (*index)[i] = (uint32_t)i;
    if (*index && text) {
        walk(*index, text);
        twice = doubled(*index, *count);
    }
    if (!*index || twice == -2)
        return dd_error(err, DDPM_ENOMEM, "out of memory for %d indices", *count);
    if (twice >= 0)
        return dd_error(err, DDPM_EUSAGE, "--index %.80s: %lld occurs twice", text, (long long)twice);
    return DDPM_OK;
}

uint32_t index_list_largest(const uint32_t *index, int n)
{
    uint32_t last = 0;
    for (int i = 0; i < n; i++)
        last = index[i] > last ? index[i] : last;
    return last;
}
