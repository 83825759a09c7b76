/* Reads "net" and "diffusion" from a model file.  A configuration that passes can be built: every count is
   bounded, and every width divides into its groups and heads.  Every level halves evenly, so that up-sampling
   by 2 gives the size of the skip connection. */
#include "net/config.h"
#include <stdio.h>
#include <string.h>

enum { WIDTH = 32768, COUNT = 4096 };

static const char *const archs[] = { "ddpm", "lucid", "encoder", NULL };
static const char *const orders[] = { "sin,cos", "cos,sin", NULL };
static const char *const acts[] = { "silu", "gelu", "relu", "mish", NULL };

static const enum dd_act act_of[] = { DD_ACT_SILU, DD_ACT_GELU, DD_ACT_RELU, DD_ACT_MISH }; /* by acts */

static const char *const pads[] = { "right", "both", NULL };
static const char *const samplers[] = { "conv", "res", NULL };
static const char *const lucid_downs[] = { "unshuffle", "conv4", NULL };
static const char *const predictions[] = { "eps", "x0", "v", NULL };
static const char *const variances[] = { "beta", "beta-tilde", "learned", "learned-range", NULL };

static int wrong_length(const char *key, int found, int expected, ddpm_error *err)
{
    return dd_error(err, DDPM_EDATA, "%s has %d entries, expected %d for the levels of net.widths", key,
                    found, expected);
}

static int read_time(struct dd_config *c, const cJSON *time, ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, time, "net.time", err);
    c->time_dim = dd_json_int(&j, "dim", 2, WIDTH);
    c->time_hidden = dd_json_int(&j, "hidden", 1, WIDTH);
    c->cos_first = dd_json_choice(&j, "order", orders);
    return dd_json_end(&j);
}

static int read_heads(struct dd_config *c, const cJSON *heads, ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, heads, "net.heads", err);
    int down = dd_json_ints(&j, "down", c->heads_down, DD_LEVELS, 0, COUNT), up = c->levels;
    c->heads_mid = dd_json_int(&j, "mid", 0, COUNT);
    if (c->arch == DD_ARCH_ENCODER) {
        c->heads_pool = dd_json_int(&j, "pool", 1, COUNT);
    } else {
        up = dd_json_ints(&j, "up", c->heads_up, DD_LEVELS, 0, COUNT);
        c->head_dim = dd_json_int(&j, "dim", 0, WIDTH);
    }

    int code = dd_json_end(&j);
    if (!code && down != c->levels)
        code = wrong_length("net.heads.down", down, c->levels, err);
    if (!code && up != c->levels)
        code = wrong_length("net.heads.up", up, c->levels, err);
    return code;
}

static int read_norm(struct dd_config *c, const cJSON *norm, ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, norm, "net.norm", err);
    c->groups = dd_json_int(&j, "groups", 1, WIDTH);
    c->norm_eps = dd_json_number(&j, "eps", 1e-12, 1);
    c->mid_groups = dd_json_int(&j, "mid_attention", 0, WIDTH);
    return dd_json_end(&j);
}

/* Reads "conv" (res[i] = 0) or "res" (1) for each step between two levels. */
static int read_samplers(int *res, struct dd_json *j, const char *key, const char *path, int levels)
{
    const char *text[DD_LEVELS] = { NULL };
    int n = dd_json_texts(j, key, text, DD_LEVELS);
    if (j->code)
        return j->code;
    if (n != levels - 1)
        return wrong_length(path, n, levels - 1, j->err);

    for (int i = 0; i < n; i++) {
        res[i] = !strcmp(text[i], samplers[1]);
        if (!res[i] && strcmp(text[i], samplers[0]))
            return dd_error(j->err, DDPM_EDATA, "%s[%d] is \"%.40s\", expected \"conv\" or \"res\"", path, i,
                            text[i]);
    }
    return DDPM_OK;
}

/* Reads what the way down and the middle have in both architectures. */
static int read_down(struct dd_config *c, struct dd_json *j)
{
    c->blocks = dd_json_int(j, "blocks", 1, 64);
    c->scale_shift = dd_json_bool(j, "scale_shift");
    c->dropout = dd_json_number(j, "dropout", 0, 1);

    const cJSON *heads = dd_json_object(j, "heads"), *norm = dd_json_object(j, "norm");

    int code = j->code;
    if (!code)
        code = read_heads(c, heads, j->err);
    if (!code)
        code = read_norm(c, norm, j->err);
    if (!code)
        code = read_samplers(c->down_res, j, "down", "net.down", c->levels);
    return code;
}

static int read_ddpm(struct dd_config *c, struct dd_json *j)
{
    c->mid = dd_json_bool(j, "mid");
    c->act = act_of[dd_json_choice(j, "act", acts)];
    c->pad_both = dd_json_choice(j, "pad", pads);
    c->mid_scale = dd_json_number(j, "mid_scale", 1e-6, 1e6);
    c->center = dd_json_bool(j, "center");

    int code = read_down(c, j);
    if (!code)
        code = read_samplers(c->up_res, j, "up", "net.up", c->levels);
    return code;
}

/* Reads an encoder, whose other settings are those of its origin. */
static int read_encoder(struct dd_config *c, struct dd_json *j)
{
    c->outputs = c->classes;
    c->mid = true;
    c->act = DD_ACT_SILU;
    c->pad_both = true;
    c->mid_scale = 1;
    return read_down(c, j);
}

static int read_lucid(struct dd_config *c, struct dd_json *j)
{
    /* Files from before there were two ways have no "down". */
    if (dd_json_has(j, "down"))
        c->strided = dd_json_choice(j, "down", lucid_downs);

    c->heads = dd_json_int(j, "heads", 1, COUNT);
    c->head_dim = dd_json_int(j, "dim", 1, WIDTH);
    c->memory = dd_json_int(j, "memory", 0, COUNT);
    int n = dd_json_ints(j, "full", c->full, DD_LEVELS, 0, 1);
    if (!j->code && n != c->levels)
        return wrong_length("net.full", n, c->levels, j->err);
    return j->code;
}

static int check_side(const char *name, int side, int levels, ddpm_error *err)
{
    for (int i = 0; i + 1 < levels; i++) /* every level but the last halves the size */
        if ((side >> i) % 2)
            return dd_error(
                err, DDPM_EDATA,
                "net.%s is %d: at level %d that is %d, which cannot be halved; expected a multiple of %d "
                "for %d levels",
                name, side, i, side >> i, 1 << (levels - 1), levels);
    return DDPM_OK;
}

static int check_heads(const char *path, int level, int width, int heads, int dim, ddpm_error *err)
{
    if (heads && !dim && width % heads)
        return dd_error(err, DDPM_EDATA, "%s is %d, which does not divide the width %d of level %d", path,
                        heads, width, level);
    if ((int64_t)heads * dim > WIDTH)
        return dd_error(err, DDPM_EDATA, "%s is %d: with net.heads.dim = %d that is more than %d channels",
                        path, heads, dim, WIDTH);
    return DDPM_OK;
}

static int check_ddpm(const struct dd_config *c, ddpm_error *err)
{
    int code =
        check_heads("net.heads.mid", c->levels - 1, c->widths[c->levels - 1], c->heads_mid, c->head_dim, err);

    for (int i = 0; i < c->levels && !code; i++) {
        char path[32];
        if (c->widths[i] % c->groups)
            return dd_error(err, DDPM_EDATA,
                            "net.widths[%d] is %d, which net.norm.groups = %d does not divide", i,
                            c->widths[i], c->groups);

        snprintf(path, sizeof path, "net.heads.down[%d]", i);
        code = check_heads(path, i, c->widths[i], c->heads_down[i], c->head_dim, err);
        snprintf(path, sizeof path, "net.heads.up[%d]", i);
        if (!code)
            code = check_heads(path, i, c->widths[i], c->heads_up[i], c->head_dim, err);
    }

    /* The widths are checked first, because net.init is net.widths[0] unless it is given. */
    if (!code && c->init % c->groups)
        code = dd_error(err, DDPM_EDATA, "net.init is %d, which net.norm.groups = %d does not divide",
                        c->init, c->groups);
    if (!code && c->mid_groups && c->widths[c->levels - 1] % c->mid_groups)
        code =
            dd_error(err, DDPM_EDATA, "net.norm.mid_attention is %d, which does not divide the last width %d",
                     c->mid_groups, c->widths[c->levels - 1]);
    return code;
}

static int check_lucid(const struct dd_config *c, ddpm_error *err)
{
    if ((int64_t)c->heads * c->head_dim > WIDTH)
        return dd_error(err, DDPM_EDATA, "net.heads is %d: with net.dim = %d that is more than %d channels",
                        c->heads, c->head_dim, WIDTH);
    return DDPM_OK;
}

static int check(const struct dd_config *c, ddpm_error *err)
{
    if (c->arch != DD_ARCH_ENCODER && c->outputs != c->channels && c->outputs != 2 * c->channels)
        return dd_error(err, DDPM_EDATA,
                        "net.outputs is %d, expected net.channels = %d, or %d with a learned variance",
                        c->outputs, c->channels, 2 * c->channels);
    if (c->null_class && !c->classes)
        return dd_error(err, DDPM_EDATA,
                        "net.null_class is true but net.classes is 0: set it to the number of classes");

    int code = check_side("height", c->height, c->levels, err);
    if (!code)
        code = check_side("width", c->width, c->levels, err);
    if (!code)
        code = c->arch == DD_ARCH_LUCID ? check_lucid(c, err) : check_ddpm(c, err);
    if (!code && c->arch == DD_ARCH_ENCODER)
        code = check_heads("net.heads.pool", c->levels - 1, c->widths[c->levels - 1], c->heads_pool, 0, err);
    return code;
}

static int read_arch(struct dd_config *c, struct dd_json *j)
{
    switch (c->arch) {
    case DD_ARCH_LUCID: return read_lucid(c, j);
    case DD_ARCH_ENCODER: return read_encoder(c, j);
    default: return read_ddpm(c, j);
    }
}

int dd_config_net(struct dd_config *c, const cJSON *net, ddpm_error *err)
{
    struct dd_json j;
    memset(c, 0, sizeof *c);

    dd_json_begin(&j, net, "net", err);
    c->arch = (enum dd_arch)dd_json_choice(&j, "arch", archs);
    c->height = dd_json_int(&j, "height", 1, DD_SIDE);
    c->width = dd_json_int(&j, "width", 1, DD_SIDE);
    c->channels = dd_json_int(&j, "channels", 1, 64);
    bool encoder = c->arch == DD_ARCH_ENCODER;
    if (!encoder)
        c->outputs = dd_json_int(&j, "outputs", 1, 128);
    c->classes = dd_json_int(&j, "classes", encoder ? 2 : 0, 1 << 20);
    if (!encoder && dd_json_has(&j, "null_class"))
        c->null_class = dd_json_bool(&j, "null_class");
    c->levels = dd_json_ints(&j, "widths", c->widths, DD_LEVELS, 1, WIDTH);
    c->init = dd_json_int(&j, "init", 1, WIDTH);
    const cJSON *time = dd_json_object(&j, "time");

    /* The keys below have lists whose lengths depend on the levels, so the levels must be good by now. */
    int code = j.code;
    if (!code && c->levels == 0)
        code = dd_error(err, DDPM_EDATA, "net.widths is empty, expected 1 to %d levels", DD_LEVELS);
    if (!code)
        code = read_time(c, time, err);
    if (!code)
        code = read_arch(c, &j);
    if (!code)
        code = dd_json_end(&j);
    if (!code)
        code = check(c, err);
    return code;
}

int dd_config_diffusion(struct dd_diffusion *d, const cJSON *diffusion, const struct dd_config *c,
                        ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, diffusion, "diffusion", err);
    d->steps = dd_json_int(&j, "steps", 1, 1000000);
    d->name = dd_json_text(&j, "name");
    /* A classifier predicts no noise. */
    if (c->arch != DD_ARCH_ENCODER) {
        d->prediction = dd_json_choice(&j, "prediction", predictions);
        d->variance = dd_json_choice(&j, "variance", variances);
        d->clip = dd_json_number(&j, "clip", 0, 1e6);
    }
    d->t_scale = dd_json_number(&j, "t_scale", 1e-6, 1e6);

    int code = dd_json_end(&j);
    if (!code && d->variance >= DDPM_LEARNED && c->outputs != 2 * c->channels)
        code = dd_error(err, DDPM_EDATA, "diffusion.variance is \"%s\" but net.outputs is %d, expected %d",
                        variances[d->variance], c->outputs, 2 * c->channels);
    return code;
}
