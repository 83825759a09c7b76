/* The number of images that go through the network together when memory is limited, by --memory-limit or
   by the cgroup of the process. */
#ifndef DDPM_MEMORY_LIMIT_H
#define DDPM_MEMORY_LIMIT_H
#include "cli/options.h"

struct memory_limit {
    double bytes;     /* 0: no limit */
    const char *name; /* name of the limit, for messages */
    int images;       /* images kept until the end, beside those of the batch */
    int frames;       /* frames kept for each image */

    const ddpm_model *model;      /* the network that the images go through */
    const ddpm_model *classifier; /* what guides them; NULL: nothing does */
    bool backward;                /* they also go back through the network: ddpm_vjp */
    const struct command *command;
    const struct common *common;
};

/* Fills bytes and name from the cgroup, if bytes is 0.  sysroot: "", or in tests a folder that holds /proc
   and /sys. */
void memory_limit_find(struct memory_limit *l, const char *sysroot);
/* Makes *batch smaller until the process fits, and tells the user.  DDPM_ENOMEM: one image does not fit,
   or `asked`, the user chose this batch, and it does not fit. */
int memory_limit_batch(int *batch, bool asked, const struct memory_limit *l, ddpm_error *err);
#endif
