/* Computes SHA-256 by libcrypto's plain functions.  They are deprecated since OpenSSL 3, but they allocate
   nothing.  EVP, which replaces them, builds tables of algorithms first, and EVP of 3.0 crashes if memory
   runs out inside it. */
#include "base/hash.h"

int dd_hash_begin(struct dd_hash *h)
{
    return SHA256_Init(&h->state) ? 0 : -1;
}

void dd_hash_add(struct dd_hash *h, const void *data, size_t size)
{
    SHA256_Update(&h->state, data, size);
}

void dd_hash_end(struct dd_hash *h, char hex[65])
{
    static const char digit[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH] = { 0 };
    SHA256_Final(sum, &h->state);

    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digit[sum[i] >> 4];
        hex[2 * i + 1] = digit[sum[i] & 15];
    }
    hex[64] = 0;
}
