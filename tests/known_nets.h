/* Published architectures, with what is known about them: parameters, and multiply-accumulates of convolutions, linear layers and
   attention for one image (checkpoint-families.md 5.4). */
#ifndef KNOWN_NETS_H
#define KNOWN_NETS_H
#include <stddef.h>

struct known_net {
    const char *name;
    long long parameters;
    double gmac;
    const char *net, *diffusion;
};
extern const struct known_net known_nets[]; /* ends with name NULL */
const struct known_net *known_net_find(const char *name);
/* The metadata that ddpm_model_create reads, in text [size]. */
void known_net_json(char *text, size_t size, const char *net, const char *diffusion);
#endif
