/* How often each convolution engine was chosen in a network. */
#ifndef DDPM_ENGINES_H
#define DDPM_ENGINES_H
#include "ddpm.h"

enum { ENGINES_MAX = 16 };

struct engines {
    const char *name[ENGINES_MAX]; /* in the order in which they first occur */
    int count[ENGINES_MAX], kinds;
};

/* Returns the engines of a network.  The names live as long as the network. */
struct engines engines_of(const ddpm_net *net);
/* Writes the engines as "dnnl:jit:avx2 12, gemm 3". */
void engines_text(char *out, size_t size, const struct engines *e);
#endif
