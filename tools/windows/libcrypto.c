/* Stands for the parts of OpenSSL's libcrypto that dependencies.sh does not compile: random numbers, which
   are those of Windows, and what base64 (crypto/evp/encode.c) needs for its contexts. */
#define _CRT_RAND_S
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>

int RAND_bytes(unsigned char *bytes, int n)
{
    unsigned word;
    for (int i = 0; i < n; i++) {
        if (i % 4 == 0 && rand_s(&word))
            return 0;
        bytes[i] = (unsigned char)(word >> 8 * (i % 4));
    }
    return 1;
}

void *CRYPTO_zalloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    return calloc(1, size);
}

void CRYPTO_free(void *block, const char *file, int line)
{
    (void)file;
    (void)line;
    free(block);
}

void OPENSSL_die(const char *message, const char *file, int line)
{
    (void)message;
    (void)file;
    (void)line;
    abort();
}
