/* SHA-256 by libcrypto, as 64 lower-case hexadecimal digits. */
#ifndef DD_HASH_H
#define DD_HASH_H
#include <stddef.h>
#ifndef OPENSSL_API_COMPAT
#define OPENSSL_API_COMPAT 0x10100000L
#endif
#include <openssl/sha.h>

struct dd_hash {
    SHA256_CTX state;
};

/* Returns 0, or -1 if libcrypto refuses. */
int dd_hash_begin(struct dd_hash *h);
void dd_hash_add(struct dd_hash *h, const void *data, size_t size);

/* Fills hex with the digits and a NUL. */
void dd_hash_end(struct dd_hash *h, char hex[65]);
#endif
