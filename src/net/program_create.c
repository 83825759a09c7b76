/* Builds a program from a configuration.  The builder of its architecture appends the forward nodes, and
   dd_differentiate appends the backward ones if gradients are asked for. */
#include "base/error.h"
#include "net/program.h"

/* The largest published network of this kind has 559 million parameters (ADM for 512 x 512 images). */
static const int64_t most_parameters = 4000000000;

static void build(struct dd_program *p, const struct dd_config *c)
{
    switch (c->arch) {
    case DD_ARCH_DDPM: dd_unet_build(p, c); break;
    case DD_ARCH_LUCID: dd_lucid_build(p, c); break;
    case DD_ARCH_ENCODER: dd_unet_build_encoder(p, c); break;
    }
}

int dd_program_create(struct dd_program *p, const struct dd_config *c, enum dd_derivatives derivatives,
                      ddpm_error *err)
{
    int code = dd_program_init(p, derivatives);
    if (!code)
        build(p, c);
    if (code || p->failed)
        code = dd_error(err, DDPM_ENOMEM, "out of memory for the list of the network's nodes");
    else if (p->parameters > most_parameters)
        code = dd_error(err, DDPM_EDATA,
                        "net.widths: the network would have %lld parameters, expected at most %lld",
                        (long long)p->parameters, (long long)most_parameters);

    if (!code && p->training)
        code = dd_differentiate(p, err);
    if (code)
        dd_program_free(p);
    return code;
}
