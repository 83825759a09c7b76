/* The tensors of the U-Net of Ho et al. 2020 as diffusers calls them (checkpoint-families.md 1.2); see
   unet_tensors.h.

   h = conv_in(x), kept; down: every block ends in W_i channels and is kept, so is what the step between levels yields;
   middle; up: every block takes h joined with the last that was kept. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "family/unet_tensors.h"

static int want(struct conversion *v, const char *prefix, const char *name, int rank, int64_t a, int64_t b,
                int64_t size)
{
    char full[80];
    const int64_t dim[4] = { a, b, size, size };
    snprintf(full, sizeof full, "%s%s", prefix, name);
    return conversion_want(v, full, NULL, rank, dim);
}

/* weight [a] or [a, b] or [a, b, size, size], bias [a] */
static int pair(struct conversion *v, const char *prefix, const char *name, int rank, int64_t a, int64_t b,
                int64_t size)
{
    char full[40];
    snprintf(full, sizeof full, "%s.weight", name);
    int code = want(v, prefix, full, rank, a, b, size);
    snprintf(full, sizeof full, "%s.bias", name);
    return code ? code : want(v, prefix, full, 1, a, 1, 1);
}

static int norm(struct conversion *v, const char *prefix, const char *name, int channels, int groups)
{
    if (channels % groups != 0)
        return conversion_error(v, "%s%s normalises %d channels, which cannot be divided into %d groups",
                                prefix, name, channels, groups);
    return pair(v, prefix, name, 1, channels, 1, 1);
}

static int resnet(struct conversion *v, const struct unet *u, int in, int out, const char *format, ...)
    DD_PRINTF(5, 6);

static int resnet(struct conversion *v, const struct unet *u, int in, int out, const char *format, ...)
{
    char p[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p, sizeof p, format, arguments);
    va_end(arguments);
    int code = norm(v, p, "norm1", in, u->groups);
    if (!code)
        code = pair(v, p, "conv1", 4, out, in, 3);
    if (!code)
        code = pair(v, p, "time_emb_proj", 2, u->scale_shift ? 2 * out : out, u->time_hidden, 1);
    if (!code)
        code = norm(v, p, "norm2", out, u->groups);
    if (!code)
        code = pair(v, p, "conv2", 4, out, out, 3);
    if (!code && in != out)
        code = pair(v, p, "conv_shortcut", 4, out, in, 1);
    return code;
}

static int attention(struct conversion *v, const struct unet *u, int channels, int heads, int groups,
                     const char *format, ...) DD_PRINTF(6, 7);

static int attention(struct conversion *v, const struct unet *u, int channels, int heads, int groups,
                     const char *format, ...)
{
    char p[64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(p, sizeof p, format, arguments);
    va_end(arguments);
    int inner = u->head_dim > 0 ? heads * u->head_dim : channels;
    int code = groups > 0 ? norm(v, p, "group_norm", channels, groups) : DDPM_OK;
    if (!code)
        code = pair(v, p, "to_q", 2, inner, channels, 1);
    if (!code)
        code = pair(v, p, "to_k", 2, inner, channels, 1);
    if (!code)
        code = pair(v, p, "to_v", 2, inner, channels, 1);
    if (!code)
        code = pair(v, p, "to_out.0", 2, channels, inner, 1);
    return code;
}

/* The step between two levels, of `side` "down" or "up". */
static int step(struct conversion *v, const struct unet *u, const char *side, int block, int channels,
                bool res)
{
    char p[64];
    if (res)
        return resnet(v, u, channels, channels, "%s_blocks.%d.%ssamplers.0.", side, block, side);
    snprintf(p, sizeof p, "%s_blocks.%d.%ssamplers.0.", side, block, side);
    return pair(v, p, "conv", 4, channels, channels, 3);
}

/* kept [1 + levels * (blocks + 1)]: channels of what the way up will take back. */
static int down(struct conversion *v, const struct unet *u, int *kept, int *top)
{
    int code = DDPM_OK, in = u->init;
    kept[(*top)++] = in;
    for (int i = 0; i < u->levels && !code; i++) {
        int out = u->widths[i];
        for (int j = 0; j < u->blocks && !code; j++, in = out) {
            code = resnet(v, u, in, out, "down_blocks.%d.resnets.%d.", i, j);
            if (!code && u->heads_down[i] > 0)
                code =
                    attention(v, u, out, u->heads_down[i], u->groups, "down_blocks.%d.attentions.%d.", i, j);
            kept[(*top)++] = out;
        }
        if (!code && i + 1 < u->levels) {
            code = step(v, u, "down", i, out, u->down_res[i]);
            kept[(*top)++] = out;
        }
    }
    return code;
}

static int middle(struct conversion *v, const struct unet *u, int channels)
{
    int code = resnet(v, u, channels, channels, "mid_block.resnets.0.");
    if (!code && u->heads_mid > 0)
        code = attention(v, u, channels, u->heads_mid, u->mid_groups, "mid_block.attentions.0.");
    return code ? code : resnet(v, u, channels, channels, "mid_block.resnets.1.");
}

static int up(struct conversion *v, const struct unet *u, const int *kept, int top)
{
    int code = DDPM_OK, in = u->widths[u->levels - 1];
    for (int i = 0; i < u->levels && !code; i++) {
        int level = u->levels - 1 - i, out = u->widths[level];
        for (int j = 0; j <= u->blocks && !code; j++, in = out) {
            code = resnet(v, u, in + kept[--top], out, "up_blocks.%d.resnets.%d.", i, j);
            if (!code && u->heads_up[level] > 0)
                code =
                    attention(v, u, out, u->heads_up[level], u->groups, "up_blocks.%d.attentions.%d.", i, j);
        }
        if (!code && level > 0)
            code = step(v, u, "up", i, out, u->up_res[level - 1]);
    }
    return code;
}

static int tensors(struct conversion *v, const struct unet *u)
{
    int kept[1 + UNET_LEVELS * (UNET_BLOCKS + 1)], top = 0;
    int code = pair(v, "", "conv_in", 4, u->init, u->channels, 3);
    if (!code)
        code = pair(v, "time_embedding.", "linear_1", 2, u->time_hidden, u->time_dim, 1);
    if (!code)
        code = pair(v, "time_embedding.", "linear_2", 2, u->time_hidden, u->time_hidden, 1);
    if (!code && u->classes > 0)
        code = want(v, "class_embedding.", "weight", 2, u->classes, u->time_hidden, 1);
    if (!code)
        code = down(v, u, kept, &top);
    if (!code && u->mid)
        code = middle(v, u, u->widths[u->levels - 1]);
    if (!code)
        code = up(v, u, kept, top);
    if (!code)
        code = norm(v, "", "conv_norm_out", u->widths[0], u->groups);
    if (!code)
        code = pair(v, "", "conv_out", 4, u->outputs, u->widths[0], 3);
    return code;
}

static void add_samplers(cJSON *net, const char *key, const bool *res, int count)
{
    cJSON *list = cJSON_AddArrayToObject(net, key);
    for (int i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(res[i] ? "res" : "conv"));
}

static void add_heads(cJSON *net, const struct unet *u)
{
    cJSON *heads = cJSON_AddObjectToObject(net, "heads");
    cJSON_AddItemToObject(heads, "down", cJSON_CreateIntArray(u->heads_down, u->levels));
    cJSON_AddNumberToObject(heads, "mid", u->heads_mid);
    cJSON_AddItemToObject(heads, "up", cJSON_CreateIntArray(u->heads_up, u->levels));
    cJSON_AddNumberToObject(heads, "dim", u->head_dim);
}

static void add_time(cJSON *net, const struct unet *u)
{
    cJSON *time = cJSON_AddObjectToObject(net, "time");
    cJSON_AddNumberToObject(time, "dim", u->time_dim);
    cJSON_AddNumberToObject(time, "hidden", u->time_hidden);
    cJSON_AddStringToObject(time, "order", u->cos_first ? "cos,sin" : "sin,cos");
}

static void add_norm(cJSON *net, const struct unet *u)
{
    cJSON *norms = cJSON_AddObjectToObject(net, "norm");
    cJSON_AddNumberToObject(norms, "groups", u->groups);
    cJSON_AddNumberToObject(norms, "eps", u->eps);
    cJSON_AddNumberToObject(norms, "mid_attention", u->heads_mid > 0 ? u->mid_groups : 0);
}

int unet_describe(struct conversion *v, const struct unet *u)
{
    cJSON *net = v->net = cJSON_CreateObject();
    cJSON_AddStringToObject(net, "arch", "ddpm");
    cJSON_AddNumberToObject(net, "height", u->height);
    cJSON_AddNumberToObject(net, "width", u->width);
    cJSON_AddNumberToObject(net, "channels", u->channels);
    cJSON_AddNumberToObject(net, "outputs", u->outputs);
    cJSON_AddNumberToObject(net, "classes", u->classes);
    cJSON_AddNumberToObject(net, "init", u->init);
    cJSON_AddItemToObject(net, "widths", cJSON_CreateIntArray(u->widths, u->levels));
    cJSON_AddNumberToObject(net, "blocks", u->blocks);
    cJSON_AddBoolToObject(net, "mid", u->mid);
    cJSON_AddStringToObject(net, "act", u->act);
    add_heads(net, u);
    add_norm(net, u);
    add_time(net, u);
    cJSON_AddBoolToObject(net, "scale_shift", u->scale_shift);
    cJSON_AddStringToObject(net, "pad", u->pad_right ? "right" : "both");
    add_samplers(net, "down", u->down_res, u->levels - 1);
    add_samplers(net, "up", u->up_res, u->levels - 1);
    cJSON_AddNumberToObject(net, "mid_scale", u->mid_scale);
    cJSON_AddBoolToObject(net, "center", u->center);
    return cJSON_AddNumberToObject(net, "dropout", u->dropout) == NULL
               ? dd_error(v->err, DDPM_ENOMEM, "out of memory")
               : tensors(v, u);
}

const char *unet_layer(const char *name, const char *side, const char *kind, int *block, int *layer)
{
    char pattern[40];
    int size = -1;
    snprintf(pattern, sizeof pattern, "%s_blocks.%%d.%s.%%d.%%n", side, kind);
    return sscanf(name, pattern, block, layer, &size) == 2 && size > 0 ? name + size : NULL;
}
