/* Converts struct unet to and from the JSON of a model file (model-file.md).  The order of the keys
   determines the bytes of a converted file. */
#include "family/unet_config.h"
#include <string.h>

static const char *const orders[] = { "sin,cos", "cos,sin" };
static const char *const pads[] = { "both", "right" };
static const char *const samplers[] = { "conv", "res" };

/* ---- to JSON ---- */

static void add_samplers(cJSON *net, const char *key, const bool *res, int count)
{
    cJSON *list = cJSON_AddArrayToObject(net, key);
    for (int i = 0; i < count; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(samplers[res[i]]));
}

static void add_heads(cJSON *net, const struct unet *u)
{
    cJSON *heads = cJSON_AddObjectToObject(net, "heads");
    cJSON_AddItemToObject(heads, "down", cJSON_CreateIntArray(u->heads_down, u->levels));
    cJSON_AddNumberToObject(heads, "mid", u->heads_mid);
    if (u->encoder) {
        cJSON_AddNumberToObject(heads, "pool", u->heads_pool);
        return;
    }
    cJSON_AddItemToObject(heads, "up", cJSON_CreateIntArray(u->heads_up, u->levels));
    cJSON_AddNumberToObject(heads, "dim", u->head_dim);
}

static void add_norm(cJSON *net, const struct unet *u)
{
    cJSON *norm = cJSON_AddObjectToObject(net, "norm");
    cJSON_AddNumberToObject(norm, "groups", u->groups);
    cJSON_AddNumberToObject(norm, "eps", u->eps);
    cJSON_AddNumberToObject(norm, "mid_attention", u->heads_mid > 0 ? u->mid_groups : 0);
}

static void add_time(cJSON *net, const struct unet *u)
{
    cJSON *time = cJSON_AddObjectToObject(net, "time");
    cJSON_AddNumberToObject(time, "dim", u->time_dim);
    cJSON_AddNumberToObject(time, "hidden", u->time_hidden);
    cJSON_AddStringToObject(time, "order", orders[u->cos_first]);
}

static void add_shape(cJSON *net, const char *arch, const struct unet *u)
{
    cJSON_AddStringToObject(net, "arch", arch);
    cJSON_AddNumberToObject(net, "height", u->height);
    cJSON_AddNumberToObject(net, "width", u->width);
    cJSON_AddNumberToObject(net, "channels", u->channels);
}

/* Returns net; NULL: out of memory.  cJSON ignores additions that fail.  The last one is checked in place of
   all; ddpm_model_create would name a key that is missing. */
static cJSON *finish(cJSON *net, const struct unet *u)
{
    if (cJSON_AddNumberToObject(net, "dropout", u->dropout) != NULL)
        return net;
    cJSON_Delete(net);
    return NULL;
}

static cJSON *encoder_to_json(const struct unet *u)
{
    cJSON *net = cJSON_CreateObject();
    add_shape(net, "encoder", u);
    cJSON_AddNumberToObject(net, "classes", u->classes);
    cJSON_AddNumberToObject(net, "init", u->init);
    cJSON_AddItemToObject(net, "widths", cJSON_CreateIntArray(u->widths, u->levels));
    cJSON_AddNumberToObject(net, "blocks", u->blocks);

    add_heads(net, u);
    add_norm(net, u);
    add_time(net, u);

    cJSON_AddBoolToObject(net, "scale_shift", u->scale_shift);
    add_samplers(net, "down", u->down_res, u->levels - 1);
    return finish(net, u);
}

cJSON *unet_to_json(const struct unet *u)
{
    if (u->encoder)
        return encoder_to_json(u);

    cJSON *net = cJSON_CreateObject();
    add_shape(net, "ddpm", u);
    cJSON_AddNumberToObject(net, "outputs", u->outputs);
    cJSON_AddNumberToObject(net, "classes", u->classes - u->null_class);
    if (u->null_class)
        cJSON_AddTrueToObject(net, "null_class");

    cJSON_AddNumberToObject(net, "init", u->init);
    cJSON_AddItemToObject(net, "widths", cJSON_CreateIntArray(u->widths, u->levels));
    cJSON_AddNumberToObject(net, "blocks", u->blocks);
    cJSON_AddBoolToObject(net, "mid", u->mid);
    cJSON_AddStringToObject(net, "act", u->act);

    add_heads(net, u);
    add_norm(net, u);
    add_time(net, u);

    cJSON_AddBoolToObject(net, "scale_shift", u->scale_shift);
    cJSON_AddStringToObject(net, "pad", pads[u->pad_right]);
    add_samplers(net, "down", u->down_res, u->levels - 1);
    add_samplers(net, "up", u->up_res, u->levels - 1);
    cJSON_AddNumberToObject(net, "mid_scale", u->mid_scale);
    cJSON_AddBoolToObject(net, "center", u->center);
    return finish(net, u);
}

/* ---- from JSON ---- */

static const cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

static double number(const cJSON *object, const char *key)
{
    return cJSON_GetNumberValue(member(object, key));
}

static bool is_true(const cJSON *object, const char *key)
{
    return cJSON_IsTrue(member(object, key));
}

/* Returns true when the member `key` is this text. */
static bool says(const cJSON *object, const char *key, const char *text)
{
    return !strcmp(cJSON_GetStringValue(member(object, key)), text);
}

static int read_ints(int *out, const cJSON *list)
{
    int n = 0;
    for (const cJSON *i = list->child; i && n < UNET_LEVELS; i = i->next)
        out[n++] = i->valueint;
    return n;
}

static void read_samplers(bool *res, const cJSON *list)
{
    for (const cJSON *i = list->child; i; i = i->next)
        *res++ = !strcmp(i->valuestring, samplers[1]);
}

void unet_from_json(struct unet *u, const cJSON *net)
{
    const cJSON *heads = member(net, "heads"), *norm = member(net, "norm"), *time = member(net, "time");
    *u = (struct unet){ .height = (int)number(net, "height"),
                        .width = (int)number(net, "width"),
                        .channels = (int)number(net, "channels"),
                        .outputs = (int)number(net, "outputs"),
                        .classes = (int)number(net, "classes") + is_true(net, "null_class"),
                        .null_class = is_true(net, "null_class"),
                        .init = (int)number(net, "init"),
                        .blocks = (int)number(net, "blocks"),
                        .heads_mid = (int)number(heads, "mid"),
                        .head_dim = (int)number(heads, "dim"),
                        .groups = (int)number(norm, "groups"),
                        .mid_groups = (int)number(norm, "mid_attention"),
                        .eps = number(norm, "eps"),
                        .scale_shift = is_true(net, "scale_shift"),
                        .time_dim = (int)number(time, "dim"),
                        .time_hidden = (int)number(time, "hidden"),
                        .cos_first = says(time, "order", orders[1]),
                        .mid = is_true(net, "mid"),
                        .mid_scale = number(net, "mid_scale"),
                        .pad_right = says(net, "pad", pads[1]),
                        .act = cJSON_GetStringValue(member(net, "act")),
                        .center = is_true(net, "center"),
                        .dropout = number(net, "dropout") };

    u->levels = read_ints(u->widths, member(net, "widths"));
    read_ints(u->heads_down, member(heads, "down"));
    read_ints(u->heads_up, member(heads, "up"));
    read_samplers(u->down_res, member(net, "down"));
    read_samplers(u->up_res, member(net, "up"));
}
