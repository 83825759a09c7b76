/* The configuration of a network and of its diffusion: the JSON of a model file, read strictly and bounded before anything is
   allocated by it. */
#ifndef DD_CONFIG_H
#define DD_CONFIG_H
#include "base/json.h"
#include "layer/map.h"

enum { DD_LEVELS = 12 };

enum dd_arch { DD_ARCH_DDPM, DD_ARCH_LUCID };

/* Lists run by level, 0 = full size; entry i of down_res and up_res is the step between levels i and i + 1. */
struct dd_config {
    enum dd_arch arch;
    int height, width, channels, outputs, classes;
    int init, levels, widths[DD_LEVELS];  /* init: what the first convolution puts out */
    int time_dim, time_hidden, cos_first; /* width of the sinusoids and of the network behind them */
    int heads_down[DD_LEVELS], heads_mid, heads_up[DD_LEVELS], head_dim, blocks, groups,
        mid_groups; /* ddpm */
    int down_res[DD_LEVELS], up_res[DD_LEVELS];
    enum dd_act act;
    bool mid, scale_shift, pad_both, center;
    double norm_eps, mid_scale, dropout;
    int full[DD_LEVELS], heads, memory; /* lucid; and head_dim */
};

struct dd_diffusion {
    int steps, prediction, variance; /* DDPM_EPS..., DDPM_BETA... */
    const char *name;                /* lives as long as the JSON */
    double clip, t_scale;
};

/* The objects "net" and "diffusion"; NULL is an error that *err already holds. */
int dd_config_net(struct dd_config *c, const cJSON *net, ddpm_error *err);
int dd_config_diffusion(struct dd_diffusion *d, const cJSON *diffusion, const struct dd_config *c,
                        ddpm_error *err);
#endif
