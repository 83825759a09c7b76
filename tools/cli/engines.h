/* How often each convolution engine was chosen in a network. */
#ifndef DDPM_ENGINES_H
#define DDPM_ENGINES_H
#include "ddpm.h"

enum { ENGINES_MAX = 16 };

struct engines {
    const char *name[ENGINES_MAX];
    int count[ENGINES_MAX], kinds;
};
struct engines engines_of(const ddpm_net *net);
/* "dnnl:jit:avx2 12, gemm 3" */
void engines_text(char *out, size_t size, const struct engines *e);
#endif
