/* SHA-256 over libcrypto's EVP interface. */
#include "base/hash.h"
#include <openssl/evp.h>

int dd_hash_begin(struct dd_hash *h)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();
    if (c && !EVP_DigestInit_ex(c, EVP_sha256(), NULL)) {
        EVP_MD_CTX_free(c);
        c = NULL;
    }
    h->state = c;
    return c ? 0 : -1;
}

void dd_hash_add(struct dd_hash *h, const void *data, size_t size)
{
    EVP_DigestUpdate(h->state, data, size);
}

void dd_hash_end(struct dd_hash *h, char hex[65])
{
    static const char digit[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    EVP_DigestFinal_ex(h->state, sum, NULL);
    EVP_MD_CTX_free(h->state);
    h->state = NULL;
    for (int i = 0; i < 32; i++) {
        hex[2 * i] = digit[sum[i] >> 4];
        hex[2 * i + 1] = digit[sum[i] & 15];
    }
    hex[64] = 0;
}
