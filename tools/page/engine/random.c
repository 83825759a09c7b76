/* OpenSSL's source of random numbers for the option --seed random, from that of WASI. */
#include <openssl/rand.h>
#include <unistd.h>

int RAND_bytes(unsigned char *bytes, int n)
{
    return getentropy(bytes, (size_t)n) == 0;
}
