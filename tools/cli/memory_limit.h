/* How many images go through the network together where memory is limited: by --memory-limit, or by the cgroup that the process is in. */
#ifndef DDPM_MEMORY_LIMIT_H
#define DDPM_MEMORY_LIMIT_H
#include "cli/options.h"

/* images: how many are kept until the end, beside those of the batch; frames: states shown of each. */
struct memory_limit {
    double bytes;
    const char *name;
    int images, frames;
};

/* bytes 0: the limit of the cgroup, which name then says; bytes stays 0 where there is none.  sysroot: "", or in tests a folder that holds /proc
   and /sys. */
void memory_limit_find(struct memory_limit *l, const char *sysroot);
/* Makes *batch smaller until the process fits, and says so, or, when it was asked for, DDPM_ENOMEM; that too when one image does not fit. */
int memory_limit_batch(int *batch, bool asked, const struct memory_limit *l, const ddpm_model *m,
                       const struct command *command, const struct common *c, ddpm_error *err);
#endif
