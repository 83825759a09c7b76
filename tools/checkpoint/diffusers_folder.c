/* Opens a folder of diffusers (diffusers_folder.h; checkpoint-families.md 6, 7.6).  It may be

   - a pipeline: unet/, scheduler/ and model_index.json;
   - what accelerate leaves of a training: unet/ and its average, unet_ema/ or another name;
   - the older flat layout, or a bare model: config.json beside the weights.

   The folder of a model also takes its scheduler from the pipeline around it, and its label from
   its place: beside a folder whose name speaks of an average, unet/ is raw. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/diffusers_weights.h"
#include "checkpoint/python_json.h"
#include "checkpoint/tensor_names.h"

/* ---- what the folder says it is ---- */

/* Refuses a pipeline that holds more than a U-Net and its scheduler.  A pipeline with a VAE or a text
   encoder does not work on pixels, or not alone.  In model_index.json each part is a list of two: library
   and class. */
static int check_pipeline(const char *path, ddpm_error *err)
{
    cJSON *root = NULL;
    int code = diffusers_is_file(path) ? python_json_file(&root, path, err) : DDPM_OK;
    for (const cJSON *c = root ? root->child : NULL; !code && c; c = c->next) {
        int is_part = cJSON_IsArray(c) && cJSON_GetArraySize(c) == 2;
        const char *of = is_part ? cJSON_GetStringValue(cJSON_GetArrayItem(c, 1)) : NULL;
        if (!of || !strcmp(c->string, "scheduler"))
            continue;

        if (strcmp(c->string, "unet"))
            code = dd_error(err, DDPM_EDATA,
                            "%s: the pipeline also needs %.80s (%.80s); only a unet and its scheduler are "
                            "read",
                            path, c->string, of);
        else if (strcmp(of, "UNet2DModel"))
            code = dd_error(err, DDPM_EDATA, "%s: its unet is a %.80s; only UNet2DModel is read", path, of);
    }
    cJSON_Delete(root);
    return code;
}

/* Refuses a configuration that names another class.  A configuration without a class name is accepted. */
static int check_class(const cJSON *config, const char *path, ddpm_error *err)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(config, "_class_name");
    if (!name || (cJSON_IsString(name) && !strcmp(name->valuestring, "UNet2DModel")))
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: _class_name is %.100s; only UNet2DModel is read", path,
                    cJSON_IsString(name) ? name->valuestring : "no text");
}

/* ---- what lies around the model ---- */

/* The U-Nets in a folder whose names speak of an average. */
struct averages {
    int count;
    const char *name[2]; /* the names of the first two */
    int self;            /* the folder that the caller asked about is one of them */
};

static bool is_average_name(const char *folder, const char *name)
{
    (void)folder;
    return name_says_average(name, strlen(name));
}

/* Returns whether a folder holds a U-Net.  A folder counts even if its configuration cannot be read, and a
   folder named unet_ema even if it has none: opening it then tells what is wrong. */
static int holds_unet(struct files *f, const char *folder, const char *name)
{
    cJSON *root = NULL;
    const char *config = dd_arena_text(&f->arena, "%s/config.json", folder);
    if (!config || !diffusers_is_file(config))
        return config && !strcmp(name, "unet_ema") && dd_system_is_folder(folder);

    int is = python_json_file(&root, config, NULL) || !check_class(root, config, NULL);
    cJSON_Delete(root);
    return is;
}

/* Finds the averages in parent.  folder: the folder that a->self tells about, or NULL. */
static int find_averages(struct averages *a, struct files *f, const char *parent, const char *folder,
                         ddpm_error *err)
{
    char **name;
    size_t n;
    int code = DDPM_OK;
    dd_names_list(&name, &n, parent, is_average_name, NULL);
    *a = (struct averages){ 0 };

    for (size_t i = 0; i < n && !code; i++) {
        char *path = dd_arena_text(&f->arena, "%s/%s", parent, name[i]);
        if (!path)
            code = dd_error_memory(err, "the paths of a checkpoint");
        if (!code && holds_unet(f, path, name[i])) {
            if (a->count < 2)
                a->name[a->count] = path + strlen(parent) + 1;
            a->count++;
            a->self |= folder && dd_system_same(path, folder);
        }
    }
    dd_names_free(name, n);
    return code;
}

/* Takes the scheduler that lies in folder, if there is one. */
static int scheduler_in(struct files *f, const char *folder, ddpm_error *err)
{
    static const char *const names[] = { "scheduler/scheduler_config.json", "scheduler_config.json" };
    for (int i = 0; i < 2 && !f->scheduler; i++) {
        f->scheduler_path = dd_arena_text(&f->arena, "%s/%s", folder, names[i]);
        if (!f->scheduler_path)
            return dd_error_memory(err, "the paths of a checkpoint");
        if (!diffusers_is_file(f->scheduler_path))
            continue;

        int code = python_json_file(&f->scheduler, f->scheduler_path, err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

/* Takes the scheduler of the pipeline to which folder belongs.  It lies in folder itself, or in the folder
   above when that is a pipeline or this is its unet, or one more level up.  inner: how many levels folder
   lies below the one that the user gave, 0 or 1.  A scheduler from above the user's folder is noted. */
static int find_scheduler(struct files *f, const char *folder, int inner, ddpm_error *err)
{
    int code = scheduler_in(f, folder, err);
    for (int up = 0; up < 2 && !code && !f->scheduler; up++) {
        struct averages a = { 0 };
        const char *unet = dd_arena_text(&f->arena, "%s/../unet", folder);
        const char *index = dd_arena_text(&f->arena, "%s/../model_index.json", folder);
        const char *above = dd_arena_text(&f->arena, "%s/..", folder);
        if (!unet || !index || !above)
            return dd_error_memory(err, "the paths of a checkpoint");

        code = find_averages(&a, f, above, folder, err);
        if (!code && (dd_system_same(folder, unet) || a.self || diffusers_is_file(index)))
            code = scheduler_in(f, above, err);
        f->scheduler_above = f->scheduler && up >= inner;
        folder = above;
    }
    return code;
}

/* Returns whether a configuration has the settings that diffusers' EMAModel adds to those of its model. */
static int is_average(const cJSON *config)
{
    return cJSON_GetObjectItemCaseSensitive(config, "optimization_step") &&
           cJSON_GetObjectItemCaseSensitive(config, "update_after_step");
}

/* Labels the weights in folder by its configuration and its place.  A folder name that speaks of an
   average is believed only beside a folder named unet; unet_ema is always believed. */
static int label_folder(struct files *f, const char *folder, ddpm_error *err)
{
    struct averages a = { 0 };
    const char *above = dd_arena_text(&f->arena, "%s/..", folder);
    const char *unet = dd_arena_text(&f->arena, "%s/../unet", folder);
    const char *ema = dd_arena_text(&f->arena, "%s/../unet_ema", folder);
    if (!above || !unet || !ema)
        return dd_error_memory(err, "the paths of a checkpoint");

    int code = find_averages(&a, f, above, folder, err);
    /* A path is the same place as itself if it exists. */
    int has_unet = dd_system_same(unet, unet);
    if (is_average(f->config) || dd_system_same(folder, ema) || (a.self && has_unet))
        f->label = "ema";
    else if (dd_system_same(folder, unet) && a.count)
        f->label = "raw";

    f->average_beside = a.count && *f->label == 'r' ? a.name[0] : NULL;
    return code;
}

/* ---- opening ---- */

/* Opens the model in folder; inner is explained at find_scheduler. */
static int open_model(struct files *f, const char *folder, int inner, const char *want, ddpm_error *err)
{
    const char *config = dd_arena_text(&f->arena, "%s/config.json", folder);
    int code = config ? python_json_file(&f->config, config, err)
                      : dd_error_memory(err, "the paths of a checkpoint");
    if (!code)
        code = check_class(f->config, config, err);
    if (!code)
        code = label_folder(f, folder, err);
    if (!code)
        code = find_scheduler(f, folder, inner, err);
    return code ? code : diffusers_weights_open(f, folder, want, err);
}

/* Opens the average in the folder at path, or the raw weights if they are wanted.  raw: the folder of the
   raw weights, or NULL. */
static int open_one_of(struct files *f, const char *path, const char *raw, const struct averages *a,
                       const char *want, ddpm_error *err)
{
    const char *average = dd_arena_text(&f->arena, "%s/%s", path, a->name[0]);
    if (!average)
        return dd_error_memory(err, "the paths of a checkpoint");
    f->both = raw != NULL;

    if (f->both && want && !strcmp(want, "raw")) {
        int code = open_model(f, raw, raw != path, want, err);
        f->label = *f->label ? f->label : "raw";
        return code;
    }

    if (a->count > 1)
        return dd_error(err, DDPM_EDATA,
                        "%s: holds several averages, %s and %s: give the folder that is meant", path,
                        a->name[0], a->name[1]);
    int code = open_model(f, average, 1, want, err);
    f->label = *f->label ? f->label : "ema";
    return code;
}

int diffusers_folder_open(struct files *f, const char *path, const char *want, ddpm_error *err)
{
    struct averages a = { 0 };
    const char *index = dd_arena_text(&f->arena, "%s/model_index.json", path);
    const char *bare = dd_arena_text(&f->arena, "%s/config.json", path);
    const char *unet = dd_arena_text(&f->arena, "%s/unet", path);
    const char *raw = dd_arena_text(&f->arena, "%s/unet/config.json", path);
    if (!index || !bare || !unet || !raw)
        return dd_error_memory(err, "the paths of a checkpoint");

    int code = check_pipeline(index, err);
    if (!code)
        code = find_averages(&a, f, path, NULL, err);
    const char *average = a.count ? dd_arena_text(&f->arena, "%s/%s/config.json", path, a.name[0]) : "";
    if (code || !average)
        return code ? code : dd_error_memory(err, "the paths of a checkpoint");

    /* unet/ is preferred to a model in the folder itself. */
    const char *given = diffusers_is_file(raw) ? unet : NULL;
    if (!given && diffusers_is_file(bare))
        given = path;

    if (diffusers_is_file(average) && (given || !strcmp(a.name[0], "unet_ema")))
        return open_one_of(f, path, given, &a, want, err);
    if (given)
        return open_model(f, given, given != path, want, err);
    return diffusers_no_weights(path,
                                "is no diffusers folder: there is neither unet/config.json nor config.json",
                                err);
}

int diffusers_folder_beside(struct files *f, const char *path, ddpm_error *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int length = slash ? (int)(slash - path) + (slash == path) : 0;
    const char *folder = slash ? dd_arena_text(&f->arena, "%.*s", length, path) : ".";
    const char *config = folder ? dd_arena_text(&f->arena, "%s/config.json", folder) : NULL;
    if (!config)
        return dd_error_memory(err, "the paths of a checkpoint");

    /* A config.json beside a file of weights may belong to something else; a U-Net of diffusers has this
       setting. */
    int code = diffusers_is_file(config) ? python_json_file(&f->config, config, err) : DDPM_OK;
    if (!code && f->config && !cJSON_GetObjectItemCaseSensitive(f->config, "block_out_channels")) {
        cJSON_Delete(f->config);
        f->config = NULL;
    }

    if (!code && f->config)
        code = check_class(f->config, config, err);
    if (!code)
        code = label_folder(f, folder, err);

    /* A variant in the file name outweighs the place. */
    if (strstr(base, ".ema.") || strstr(base, ".non_ema."))
        f->label = strstr(base, ".ema.") ? "ema" : "raw";
    return code ? code : find_scheduler(f, folder, 0, err);
}
