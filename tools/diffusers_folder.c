/* A diffusers folder (formats.md 6, 7.6): a pipeline (unet/, scheduler/, model_index.json), the older flat layout, or a bare model;
   config.json, and weights whole or in shards, safetensors before .bin, a half-precision variant only where there is nothing else. */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/error.h"
#include "base/json.h"
#include "source.h"

static const struct { const char *name; int index; } weight_files[] = {
    { "diffusion_pytorch_model.safetensors", 0 },      { "diffusion_pytorch_model.safetensors.index.json", 1 },
    { "diffusion_pytorch_model.bin", 0 },              { "diffusion_pytorch_model.bin.index.json", 1 },
    { "diffusion_pytorch_model.fp16.safetensors", 0 }, { "diffusion_pytorch_model.safetensors.index.fp16.json", 1 },
    { "diffusion_pytorch_model.fp16.bin", 0 },         { "diffusion_pytorch_model.bin.index.fp16.json", 1 },
};

static int no_memory(ddpm_error *err) { return dd_error(err, DDPM_ENOMEM, "out of memory"); }

static int is_file(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

static int read_json(cJSON **root, const char *path, ddpm_error *err)
{
    struct dd_file file;
    int code = dd_file_map(&file, path, err);
    if (code)
        return code;
    code = dd_json_parse(root, (const char *)file.data, file.size, path, err);
    dd_file_unmap(&file);
    if (!code && !cJSON_IsObject(*root)) {
        cJSON_Delete(*root);
        *root = NULL;
        return dd_error(err, DDPM_EDATA, "%s: an object in braces is expected", path);
    }
    return code;
}

/* A pipeline that holds more than a U-Net and its scheduler (a VAE, a text encoder) does not work on pixels, or not alone. */
static int check_pipeline(const char *path, ddpm_error *err)
{
    cJSON *root = NULL;
    int code = is_file(path) ? read_json(&root, path, err) : DDPM_OK;
    for (const cJSON *c = root ? root->child : NULL; !code && c; c = c->next) {
        const char *of = cJSON_IsArray(c) && cJSON_GetArraySize(c) == 2 ? cJSON_GetStringValue(cJSON_GetArrayItem(c, 1)) : NULL;
        if (of && !strcmp(c->string, "unet") && strcmp(of, "UNet2DModel"))
            code = dd_error(err, DDPM_EDATA, "%s: its unet is a %.80s; only UNet2DModel is read", path, of);
        else if (of && strcmp(c->string, "unet") && strcmp(c->string, "scheduler"))
            code = dd_error(err, DDPM_EDATA,
                            "%s: the pipeline also needs %.80s (%.80s); only a unet and its scheduler are read", path, c->string, of);
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

static int text_order(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

/* The names of the shards, each once, sorted. */
static int shard_names(const char ***list, size_t *count, struct files *f, const cJSON *map, const char *path, ddpm_error *err)
{
    size_t n = 0, kept = 0;
    for (const cJSON *c = map->child; c; c = c->next)
        n++;
    *list = dd_arena(&f->arena, n + 1, sizeof **list);
    if (!*list)
        return no_memory(err);
    n = 0;
    for (const cJSON *c = map->child; c; c = c->next) {
        const char *name = cJSON_GetStringValue(c);
        if (!name || !*name || *name == '.' || strpbrk(name, "/\\"))
            return dd_error(err, DDPM_EDATA,
                            "%s: weight_map puts %.80s into \"%.100s\"; the name of a file in the same folder is expected", path,
                            c->string, name ? name : "(no text)");
        (*list)[n++] = name;
    }
    qsort(*list, n, sizeof **list, text_order);
    for (size_t i = 0; i < n; i++)
        if (!kept || strcmp((*list)[kept - 1], (*list)[i]))
            (*list)[kept++] = (*list)[i];
    *count = kept;
    return n ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s: weight_map is empty", path);
}

static int open_shards(struct files *f, const char *const *name, size_t count, const char *folder, const char *path, ddpm_error *err)
{
    f->source = dd_arena(&f->arena, count, sizeof *f->source);
    if (!f->source)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        char *file = dd_arena_text(&f->arena, "%s/%s", folder, name[i]);
        if (!file)
            return no_memory(err);
        f->sources = i + 1;
        int code = source_open(&f->source[i], file, err);
        if (code)
            return code;
        if (f->source[i].states != 1 || *f->source[i].state->path)
            return dd_error(err, DDPM_EDATA, "%s: is no shard of %s: it holds more than one table of tensors", file, path);
    }
    return DDPM_OK;
}

/* Every tensor of weight_map from its own shard; a shard holds no other. */
static int merge(struct files *f, const cJSON *map, const char *const *name, const char *path, ddpm_error *err)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < f->sources; i++)
        total += f->source[i].state->tensors;
    struct named *list = dd_arena(&f->source->arena, total + 1, sizeof *list);
    if (!list)
        return no_memory(err);
    for (const cJSON *c = map->child; c; c = c->next) {
        const char **at = bsearch(&c->valuestring, name, f->sources, sizeof *name, text_order);
        const struct named *found = at ? source_find(f->source[at - (const char **)name].state, c->string) : NULL;
        if (!found || n == total)
            return dd_error(err, DDPM_EDATA, "%s: tensor %.100s is not in %.100s", path, c->string, c->valuestring);
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
    int code = read_json(&root, path, err);
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

/* ---- the folder ---- */

static int open_weights(struct files *f, const char *folder, ddpm_error *err)
{
    for (size_t i = 0; i < sizeof weight_files / sizeof *weight_files; i++) {
        char *path = dd_arena_text(&f->arena, "%s/%s", folder, weight_files[i].name);
        if (!path)
            return no_memory(err);
        if (!is_file(path))
            continue;
        f->weights = path;
        f->sharded = weight_files[i].index;
        if (f->sharded)
            return open_sharded(f, folder, path, err);
        f->source = dd_arena(&f->arena, 1, sizeof *f->source);
        if (!f->source)
            return no_memory(err);
        f->sources = 1;
        return source_open(f->source, path, err);
    }
    return dd_error(err, DDPM_EMISSING, "%s: there is a config.json but no weights (%s or .bin)", folder, weight_files[0].name);
}

int diffusers_folder_open(struct files *f, const char *path, ddpm_error *err)
{
    char *index = dd_arena_text(&f->arena, "%s/model_index.json", path), *unet = dd_arena_text(&f->arena, "%s/unet", path);
    char *inner = dd_arena_text(&f->arena, "%s/unet/config.json", path), *outer = dd_arena_text(&f->arena, "%s/config.json", path);
    char *scheduler = dd_arena_text(&f->arena, "%s/scheduler/scheduler_config.json", path);
    char *flat = dd_arena_text(&f->arena, "%s/scheduler_config.json", path);
    if (!index || !unet || !inner || !outer || !scheduler || !flat)
        return no_memory(err);
    int nested = is_file(inner), code = check_pipeline(index, err);
    if (code)
        return code;
    if (!nested && !is_file(outer))
        return dd_error(err, DDPM_EMISSING, "%s: is no diffusers folder: there is neither unet/config.json nor config.json", path);
    if ((code = read_json(&f->config, nested ? inner : outer, err)) != DDPM_OK ||
        (code = check_class(f->config, nested ? inner : outer, err)) != DDPM_OK)
        return code;
    if (!is_file(scheduler))
        scheduler = is_file(flat) ? flat : NULL;
    if (scheduler && (code = read_json(&f->scheduler, scheduler, err)) != DDPM_OK)
        return code;
    return open_weights(f, nested ? unet : path, err);
}
