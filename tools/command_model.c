/* No path is the embedded model: see command_model.h. */
#include "command_model.h"
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"

/* A PyTorch file (a ZIP archive or a pickle) or a folder: what somebody has who has not converted it yet. */
static const char *foreign_kind(const char *path)
{
    struct stat s;
    unsigned char begin[2] = { 0 };
    if (!stat(path, &s) && S_ISDIR(s.st_mode))
        return "a folder";
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(begin, 1, 2, f) : 0;
    if (f)
        fclose(f);
    return n == 2 && (!memcmp(begin, "PK", 2) || begin[0] == 0x80) ? "a PyTorch file" : NULL;
}

int model_open(ddpm_model **m, const char *path, ddpm_error *err)
{
    int code = path ? ddpm_model_open(m, path, err) : ddpm_model_open_memory(m, embedded_model, embedded_size(), err);
    const char *kind = path && code == DDPM_EDATA ? foreign_kind(path) : NULL;
    return kind ? dd_error(err, code, "%s: is %s, no model file of ddpm: make one with ddpm convert", path, kind) : code;
}

int model_net(ddpm_net **net, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err)
{
    ddpm_net_options o = { .batch = batch, .threads = (int)c->threads, .cpu = c->cpu, .conv = c->conv };
    return ddpm_net_create(net, m, &o, err);
}
