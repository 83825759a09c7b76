/* The configuration of a network and of its diffusion: "net" and "diffusion" of a model file's metadata.
   They are read strictly, and every count is bounded before anything is allocated by it. model-file.md
   lists the keys. */
#ifndef DD_CONFIG_H
#define DD_CONFIG_H
#include "base/json.h"
#include "layer/map.h"

/* The most levels, and the most pixels of a side of an image. */
enum { DD_LEVELS = 12, DD_SIDE = 8192 };

/* ENCODER is a classifier of noisy images; the others predict noise. */
enum dd_arch { DD_ARCH_DDPM, DD_ARCH_LUCID, DD_ARCH_ENCODER };

/* The settings of a network.  Lists are indexed by level; level 0 has the full size. */
struct dd_config {
    enum dd_arch arch;
    int height, width, channels, classes;
    int outputs;     /* channels of the output, or the classes of an encoder */
    bool null_class; /* class number `classes` stands for no class */
    int init;        /* how many channels the first convolution gives */
    int levels, widths[DD_LEVELS];
    int time_dim, time_hidden; /* widths of the sinusoids and of the network behind them */
    int cos_first;             /* cosines stand before sines */
    double dropout;

    /* DD_ARCH_DDPM; DD_ARCH_ENCODER has no up, and a pool.  Entry i of down_res and up_res is the step
       between levels i and i + 1. */
    int heads_down[DD_LEVELS], heads_mid, heads_up[DD_LEVELS], heads_pool;
    int head_dim; /* the width of a head in both architectures */
    int blocks, groups, mid_groups;
    int down_res[DD_LEVELS], up_res[DD_LEVELS];
    enum dd_act act;
    bool mid, scale_shift, pad_both, center;
    double norm_eps, mid_scale;

    /* DD_ARCH_LUCID */
    int full[DD_LEVELS], heads, memory;
    bool strided; /* a 4x4 convolution of stride 2 halves the size; otherwise pixels go into channels */
};

/* Returns how many classes the network is told of.  An encoder tells them itself. */
static inline int dd_config_told_classes(const struct dd_config *c)
{
    return c->arch == DD_ARCH_ENCODER ? 0 : c->classes;
}

/* Returns how many rows a table of classes has: one for each class, and behind them that of no class. */
static inline int dd_config_class_rows(const struct dd_config *c)
{
    return c->classes + c->null_class;
}

/* Returns how many numbers the network gives for an image. */
static inline size_t dd_config_outputs(const struct dd_config *c)
{
    size_t pixels = c->arch == DD_ARCH_ENCODER ? 1 : (size_t)c->height * (size_t)c->width;
    return pixels * (size_t)c->outputs;
}

struct dd_diffusion {
    int steps;        /* the T steps of the chain */
    int prediction;   /* DDPM_EPS... */
    int variance;     /* DDPM_BETA... */
    const char *name; /* the name of the noise schedule; it lives as long as the JSON */
    double clip, t_scale;
};

/* Read one object each.  If the object is NULL, *err already says why.  DDPM_EDATA: a key is missing,
   unknown or out of its range. */
int dd_config_net(struct dd_config *c, const cJSON *net, ddpm_error *err);
int dd_config_diffusion(struct dd_diffusion *d, const cJSON *diffusion, const struct dd_config *c,
                        ddpm_error *err);
#endif
