/* No path is the embedded model: see command_model.h. */
#include "command_model.h"

int model_open(ddpm_model **m, const char *path, ddpm_error *err)
{
    return path ? ddpm_model_open(m, path, err) : ddpm_model_open_memory(m, embedded_model, embedded_size(), err);
}

int model_net(ddpm_net **net, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err)
{
    ddpm_net_options o = { .batch = batch, .threads = (int)c->threads, .cpu = c->cpu, .conv = c->conv };
    return ddpm_net_create(net, m, &o, err);
}
