/* SHA-256 over libcrypto, as 64 lower-case hexadecimal digits.  Every begin that returned 0 is followed by one end. */
#ifndef DD_HASH_H
#define DD_HASH_H
#include <stddef.h>

struct dd_hash { void *state; };
int  dd_hash_begin(struct dd_hash *h);                 /* 0, or -1 when out of memory */
void dd_hash_add(struct dd_hash *h, const void *data, size_t size);
void dd_hash_end(struct dd_hash *h, char hex[65]);     /* also releases */
#endif
