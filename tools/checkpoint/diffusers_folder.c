/* A diffusers folder (checkpoint-families.md 6, 7.6): a pipeline (unet/, scheduler/, model_index.json), what
   accelerate leaves (unet/ and its average unet_ema/), the older flat layout, or a bare model; config.json,
   and weights whole or in shards,
       safetensors before .bin.
   Of variants, ema and non_ema say what they hold; halves are taken only where there is nothing else. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/names.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/python_json.h"
#include "checkpoint/tensor_names.h"

/* In the order of preference. */
static const char *const forms[] = { "safetensors", "safetensors.index", "bin", "bin.index" };

static const struct {
    const char *name, *label;
} variants[] = { { "ema", "ema" }, { "", "" }, { "non_ema", "raw" }, { "fp16", "" }, { "bf16", "" } };

enum { VARIANTS = sizeof variants / sizeof *variants, FORMS = sizeof forms / sizeof *forms };

static int is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* A pipeline that holds more than a U-Net and its scheduler (a VAE, a text encoder) does not work on pixels, or not alone. */
static int check_pipeline(const char *path, ddpm_error *err)
{
    cJSON *root = NULL;
    int code = is_file(path) ? python_json_file(&root, path, err) : DDPM_OK;
    for (const cJSON *c = root ? root->child : NULL; !code && c; c = c->next) {
        const char *of = cJSON_IsArray(c) && cJSON_GetArraySize(c) == 2
                             ? cJSON_GetStringValue(cJSON_GetArrayItem(c, 1))
                             : NULL;
        if (of && !strcmp(c->string, "unet") && strcmp(of, "UNet2DModel"))
            code = dd_error(err, DDPM_EDATA, "%s: its unet is a %.80s; only UNet2DModel is read", path, of);
        else if (of && strcmp(c->string, "unet") && strcmp(c->string, "scheduler"))
            code =
                dd_error(err, DDPM_EDATA,
                         "%s: the pipeline also needs %.80s (%.80s); only a unet and its scheduler are read",
                         path, c->string, of);
    }
    cJSON_Delete(root);
    return code;
}

static int check_class(const cJSON *config, const char *path, ddpm_error *err)
{
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(config, "_class_name");
    if (!name || (cJSON_IsString(name) && !strcmp(name->valuestring, "UNet2DModel")))
        return DDPM_OK;
    return dd_error(err, DDPM_EDATA, "%s: _class_name is %.100s; only UNet2DModel is read", path,
                    cJSON_IsString(name) ? name->valuestring : "no text");
}

/* ---- shards ---- */

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of the shards, each once, sorted. */
static int shard_names(const char ***list, size_t *count, struct files *f, const cJSON *map, const char *path,
                       ddpm_error *err)
{
    size_t n = 0, kept = 0;
    for (const cJSON *c = map->child; c; c = c->next)
        n++;
    *list = dd_arena(&f->arena, n + 1, sizeof **list);
    if (!*list)
        return dd_error_memory(err, "the names of the folder");
    n = 0;
    for (const cJSON *c = map->child; c; c = c->next) {
        const char *name = cJSON_GetStringValue(c);
        if (!name || !*name || *name == '.' || strpbrk(name, "/\\"))
            return dd_error(err, DDPM_EDATA,
                            "%s: weight_map puts %.80s into \"%.100s\"; the name of a file in the same "
                            "folder is expected",
                            path, c->string, name ? name : "(no text)");
        (*list)[n++] = name;
    }
    qsort(*list, n, sizeof **list, text_order);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp((*list)[kept - 1], (*list)[i]))
            (*list)[kept++] = (*list)[i];
    *count = kept;
    return n ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: weight_map is empty", path);
}

static int open_shards(struct files *f, const char *const *name, size_t count, const char *folder,
                       const char *path, ddpm_error *err)
{
    f->source = dd_arena(&f->arena, count, sizeof *f->source);
    if (!f->source)
        return dd_error_memory(err, "the names of the folder");
    for (size_t i = 0; i < count; i++) {
        char *file = dd_arena_text(&f->arena, "%s/%s", folder, name[i]);
        if (!file)
            return dd_error_memory(err, "the names of the folder");
        f->sources = i + 1;
        int code = source_open(&f->source[i], file, err);
        if (code)
            return code;
        if (f->source[i].states != 1 || *f->source[i].state->path)
            return dd_error(err, DDPM_EDATA, "%s: is no shard of %s: it holds more than one table of tensors",
                            file, path);
    }
    return DDPM_OK;
}

/* Every tensor of weight_map from its own shard; a shard holds no other. */
static int merge(struct files *f, const cJSON *map, const char *const *name, const char *path,
                 ddpm_error *err)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < f->sources; i++)
        total += f->source[i].state->tensors;
    struct named *list = dd_arena(&f->source->arena, total + 1, sizeof *list);
    if (!list)
        return dd_error_memory(err, "the names of the folder");
    for (const cJSON *c = map->child; c; c = c->next) {
        const char **at = bsearch(&c->valuestring, name, f->sources, sizeof *name, text_order);
        const struct named *found =
            at ? source_find(f->source[at - (const char **)name].state, c->string) : NULL;
        if (!found || n == total)
            return dd_error(err, DDPM_EDATA, "%s: tensor %.100s is not in %.100s", path, c->string,
                            c->valuestring);
        list[n++] = *found;
    }
    if (n != total)
        return dd_error(err, DDPM_EDATA, "%s: lists %zu tensors, but its shards hold %zu", path, n, total);
    f->source->states = 0;
    return source_add(f->source, "", list, n, err);
}

static int open_sharded(struct files *f, const char *folder, const char *path, ddpm_error *err)
{
    cJSON *root;
    const char **name;
    size_t count;
    int code = python_json_file(&root, path, err);
    if (code)
        return code;
    const cJSON *map = cJSON_GetObjectItemCaseSensitive(root, "weight_map");
    if (!cJSON_IsObject(map))
        code = dd_error(err, DDPM_EDATA, "%s: weight_map is missing", path);
    if (!code && (code = shard_names(&name, &count, f, map, path, err)) == DDPM_OK &&
        (code = open_shards(f, name, count, folder, path, err)) == DDPM_OK)
        code = merge(f, map, name, path, err);
    cJSON_Delete(root);
    return code;
}

/* ---- which file of weights ---- */

static char *weights_path(struct files *f, const char *folder, int variant, int form)
{
    const char *name = variants[variant].name, *dot = *name ? "." : "";
    return form % 2 ? dd_arena_text(&f->arena, "%s/diffusion_pytorch_model.%s%s%s.json", folder, forms[form],
                                    dot, name)
                    : dd_arena_text(&f->arena, "%s/diffusion_pytorch_model%s%s.%s", folder, dot, name,
                                    forms[form]);
}

/* Remembers the first file beside the one of variant `taken` that holds other weights, not the same ones in
   halves. */
static int find_others(struct files *f, const char *folder, int taken, ddpm_error *err)
{
    for (int i = 0; i < VARIANTS && !f->others; i++)
        for (int form = 0; form < FORMS && !f->others; form++) {
            char *path = weights_path(f, folder, i, form);
            if (!path)
                return dd_error_memory(err, "the names of the folder");
            if (i != taken && (*variants[i].label || !*variants[i].name) && is_file(path))
                f->others = path + strlen(folder) + 1;
        }
    return DDPM_OK;
}

/* Finds the average first where raw weights are not wanted. */
static int find_weights(struct files *f, const char *folder, const char *want, ddpm_error *err)
{
    static const int all[VARIANTS] = { 0, 1, 2, 3, 4 }, without[VARIANTS] = { 2, 1, 3, 4, 0 };
    const int *order = want && !strcmp(want, "raw") ? without : all;
    for (int i = 0; i < VARIANTS; i++)
        for (int form = 0; form < FORMS; form++) {
            char *path = weights_path(f, folder, order[i], form);
            if (!path)
                return dd_error_memory(err, "the names of the folder");
            if (!is_file(path))
                continue;
            f->weights = path;
            f->sharded = form % 2;
            if (*variants[order[i]].label)
                f->label = variants[order[i]].label;
            return find_others(f, folder, order[i], err);
        }
    return DDPM_EMISSING;
}

static int is_weights(const struct dirent *e)
{
    static const char *const endings[] = { ".safetensors", ".bin",  ".pt", ".pth", ".ckpt",
                                           ".msgpack",     ".onnx", ".h5", ".pkl" };
    const char *dot = strrchr(e->d_name, '.');
    for (size_t k = 0; dot && k < sizeof endings / sizeof *endings; k++)
        if (!strcmp(dot, endings[k]))
            return 1;
    return 0;
}

/* Names what lies there instead. */
static int no_weights(const char *folder, const char *lacks, ddpm_error *err)
{
    char list[300] = "";
    struct dirent **entry = NULL;
    int n = scandir(folder, &entry, is_weights, alphasort);
    for (int i = 0; i < n; i++) {
        if (strlen(list) < 200)
            dd_names_join(list, sizeof list, entry[i]->d_name);
        free(entry[i]);
    }
    free(entry);
    return dd_error(err, DDPM_EMISSING, "%s: %s%s%s%s", folder, lacks, *list ? "; there is " : "", list,
                    *list ? ": give the file that is meant" : "");
}

static int open_weights(struct files *f, const char *folder, const char *want, ddpm_error *err)
{
    int code = find_weights(f, folder, want, err);
    if (code == DDPM_EMISSING)
        return no_weights(folder,
                          "there is a config.json but no weights (diffusion_pytorch_model.safetensors or "
                          ".bin)",
                          err);
    if (code)
        return code;
    if (f->sharded)
        return open_sharded(f, folder, f->weights, err);
    f->source = dd_arena(&f->arena, 1, sizeof *f->source);
    if (!f->source)
        return dd_error_memory(err, "the names of the folder");
    f->sources = 1;
    return source_open(f->source, f->weights, err);
}

/* ---- the folder, and what lies around it ---- */

static int same_place(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* What lies in a folder under names that speak of an average. */
struct averages {
    int count, self;
    const char *name[2];
};

static int is_average_name(const struct dirent *e)
{
    return name_says_average(e->d_name, strlen(e->d_name));
}

/* Does folder hold a U-Net?  One named unet_ema is believed. */
static int holds_unet(struct files *f, const char *folder, const char *name)
{
    struct stat st;
    cJSON *root = NULL;
    const char *config = dd_arena_text(&f->arena, "%s/config.json", folder);
    if (!config || !is_file(config))
        return config && !strcmp(name, "unet_ema") && stat(folder, &st) == 0 && S_ISDIR(st.st_mode);
    int is = python_json_file(&root, config, NULL) || !check_class(root, config, NULL);
    cJSON_Delete(root);
    return is;
}

/* Counts the U-Nets in parent that are named as averages; self: is folder, or NULL, one of them? */
static int find_averages(struct averages *a, struct files *f, const char *parent, const char *folder,
                         ddpm_error *err)
{
    struct dirent **entry = NULL;
    int code = DDPM_OK, n = scandir(parent, &entry, is_average_name, alphasort);
    *a = (struct averages){ 0 };
    for (int i = 0; i < n; i++) {
        char *path = dd_arena_text(&f->arena, "%s/%s", parent, entry[i]->d_name);
        if (!path)
            code = dd_error_memory(err, "the names of the folder");
        if (!code && holds_unet(f, path, entry[i]->d_name)) {
            if (a->count < 2)
                a->name[a->count] = path + strlen(parent) + 1;
            a->count++;
            a->self |= folder && same_place(path, folder);
        }
        free(entry[i]);
    }
    free(entry);
    return code;
}

/* Takes the scheduler of folder, if it has one. */
static int scheduler_in(struct files *f, const char *folder, ddpm_error *err)
{
    static const char *const names[] = { "scheduler/scheduler_config.json", "scheduler_config.json" };
    for (int i = 0; i < 2 && !f->scheduler; i++) {
        f->scheduler_path = dd_arena_text(&f->arena, "%s/%s", folder, names[i]);
        if (!f->scheduler_path)
            return dd_error_memory(err, "the names of the folder");
        if (!is_file(f->scheduler_path))
            continue;
        int code = python_json_file(&f->scheduler, f->scheduler_path, err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

/* Takes the scheduler of the pipeline that folder belongs to: its own, that of the folder above when this is
   its unet, or that of the pipeline in which this is a checkpoint.  inner: folder lies in the given one. */
static int find_scheduler(struct files *f, const char *folder, int inner, ddpm_error *err)
{
    int code = scheduler_in(f, folder, err);
    for (int up = 0; up < 2 && !code && !f->scheduler; up++) {
        struct averages a = { 0 };
        const char *unet = dd_arena_text(&f->arena, "%s/../unet", folder);
        const char *index = dd_arena_text(&f->arena, "%s/../model_index.json", folder);
        const char *above = dd_arena_text(&f->arena, "%s/..", folder);
        if (!unet || !index || !above)
            return dd_error_memory(err, "the names of the folder");
        code = find_averages(&a, f, above, folder, err);
        if (!code && (same_place(folder, unet) || a.self || is_file(index)))
            code = scheduler_in(f, above, err);
        f->scheduler_above = f->scheduler && up >= inner;
        folder = above;
    }
    return code;
}

/* Does the configuration have the settings that diffusers' EMAModel adds to that of what it averages? */
static int is_average(const cJSON *config)
{
    return cJSON_GetObjectItemCaseSensitive(config, "optimization_step") &&
           cJSON_GetObjectItemCaseSensitive(config, "update_after_step");
}

/* Fills in what folder's place and configuration say of the weights in it.  A name alone says it of the
   unet's neighbours, and of unet_ema. */
static int label_folder(struct files *f, const char *folder, ddpm_error *err)
{
    struct averages a = { 0 };
    const char *above = dd_arena_text(&f->arena, "%s/..", folder);
    const char *unet = dd_arena_text(&f->arena, "%s/../unet", folder);
    const char *ema = dd_arena_text(&f->arena, "%s/../unet_ema", folder);
    if (!above || !unet || !ema)
        return dd_error_memory(err, "the names of the folder");
    int code = find_averages(&a, f, above, folder, err);
    if (is_average(f->config) || same_place(folder, ema) || (a.self && same_place(unet, unet)))
        f->label = "ema";
    else if (same_place(folder, unet) && a.count)
        f->label = "raw";
    f->average_beside = a.count && *f->label == 'r' ? a.name[0] : NULL;
    return code;
}

static int open_model(struct files *f, const char *folder, int inner, const char *want, ddpm_error *err)
{
    const char *config = dd_arena_text(&f->arena, "%s/config.json", folder);
    int code =
        config ? python_json_file(&f->config, config, err) : dd_error_memory(err, "the names of the folder");
    if (!code)
        code = check_class(f->config, config, err);
    if (!code)
        code = label_folder(f, folder, err);
    if (!code)
        code = find_scheduler(f, folder, inner, err);
    return code ? code : open_weights(f, folder, want, err);
}

/* Opens the average in path, or the weights beside it that it is an average of. */
static int open_one_of(struct files *f, const char *path, const char *raw, const struct averages *a,
                       const char *want, ddpm_error *err)
{
    const char *average = dd_arena_text(&f->arena, "%s/%s", path, a->name[0]);
    if (!average)
        return dd_error_memory(err, "the names of the folder");
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
        return dd_error_memory(err, "the names of the folder");
    int code = check_pipeline(index, err);
    if (!code)
        code = find_averages(&a, f, path, NULL, err);
    const char *average = a.count ? dd_arena_text(&f->arena, "%s/%s/config.json", path, a.name[0]) : "";
    if (code || !average)
        return code ? code : dd_error_memory(err, "the names of the folder");
    const char *given = is_file(raw) ? unet : NULL;
    if (!given && is_file(bare))
        given = path;
    if (is_file(average) && (given || !strcmp(a.name[0], "unet_ema")))
        return open_one_of(f, path, given, &a, want, err);
    if (given)
        return open_model(f, given, given != path, want, err);
    return no_weights(path, "is no diffusers folder: there is neither unet/config.json nor config.json", err);
}

int diffusers_folder_beside(struct files *f, const char *path, ddpm_error *err)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    int length = slash ? (int)(slash - path) + (slash == path) : 0;
    const char *folder = slash ? dd_arena_text(&f->arena, "%.*s", length, path) : ".";
    const char *config = folder ? dd_arena_text(&f->arena, "%s/config.json", folder) : NULL;
    if (!config)
        return dd_error_memory(err, "the names of the folder");
    int code = is_file(config) ? python_json_file(&f->config, config, err) : DDPM_OK;
    if (!code && f->config && !cJSON_GetObjectItemCaseSensitive(f->config, "block_out_channels")) {
        cJSON_Delete(f->config);
        f->config = NULL;
    }
    if (!code && f->config)
        code = check_class(f->config, config, err);
    if (!code)
        code = label_folder(f, folder, err);
    if (strstr(base, ".ema.") || strstr(base, ".non_ema."))
        f->label = strstr(base, ".ema.") ? "ema" : "raw";
    return code ? code : find_scheduler(f, folder, 0, err);
}
