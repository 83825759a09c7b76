/* Published architectures with what is known of each: its number of parameters, and the
   multiply-accumulates of its convolutions, linear layers and attention for one image
   (checkpoint-families.md 5.4). */
#ifndef KNOWN_NETS_H
#define KNOWN_NETS_H
#include <stddef.h>

struct known_net {
    const char *name;
    long long parameters;
    double gmac;
    const char *net, *diffusion;
};
extern const struct known_net known_nets[]; /* the last one has the name NULL */
const struct known_net *known_net_find(const char *name);
/* Writes the metadata that ddpm_model_create reads into text [size]. */
void known_net_json(char *text, size_t size, const char *net, const char *diffusion);
#endif
