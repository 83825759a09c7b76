/* Finds and opens the files of weights in a folder of diffusers (checkpoint-families.md 6, 7.6).  Their
   names are

     diffusion_pytorch_model[.VARIANT].safetensors               or .bin
     diffusion_pytorch_model.safetensors.index[.VARIANT].json    or .bin: several shards

   An index is a JSON object whose weight_map says in which file of the folder each tensor lies. */
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/names.h"
#include "base/system.h"
#include "checkpoint/diffusers_weights.h"
#include "checkpoint/python_json.h"

/* Forms and variants stand in the order of preference.  Variants of half precision are taken only if there
   is nothing else. */
static const char *const forms[] = { "safetensors", "safetensors.index", "bin", "bin.index" };

static const struct {
    const char *name, *label;
} variants[] = { { "ema", "ema" }, { "", "" }, { "non_ema", "raw" }, { "fp16", "" }, { "bf16", "" } };

enum { VARIANTS = sizeof variants / sizeof *variants, FORMS = sizeof forms / sizeof *forms };

int diffusers_is_file(const char *path)
{
    return dd_system_is_file(path);
}

/* ---- shards ---- */

static int text_order(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

struct index {
    const char *path;   /* path of the index */
    const char *folder; /* folder of the shards */
    const cJSON *map;   /* weight_map: tensor name to shard */
    const char **shard; /* the names of the shards, each once, sorted */
    size_t shards;
};

/* Fills x->shard with the names in the map.  Each is the name of a file in the same folder, so that an
   index cannot point elsewhere. */
static int list_shards(struct index *x, struct files *f, ddpm_error *err)
{
    size_t n = 0, tensors = (size_t)cJSON_GetArraySize(x->map);
    x->shard = dd_arena(&f->arena, tensors + 1, sizeof *x->shard);
    if (!x->shard)
        return dd_error_memory(err, "the paths of a checkpoint");

    for (const cJSON *c = x->map->child; c; c = c->next) {
        const char *name = cJSON_GetStringValue(c);
        if (!name || !*name || *name == '.' || strpbrk(name, "/\\"))
            return dd_error(err, DDPM_EDATA,
                            "%s: weight_map puts %.80s into \"%.100s\"; the name of a file in the same "
                            "folder is expected",
                            x->path, c->string, name ? name : "(no text)");
        x->shard[n++] = name;
    }
    if (!n)
        return dd_error(err, DDPM_EDATA, "%s: weight_map is empty", x->path);

    qsort(x->shard, n, sizeof *x->shard, text_order);
    for (size_t i = 0; i < n; i++)
        if (!x->shards || strcmp(x->shard[x->shards - 1], x->shard[i]))
            x->shard[x->shards++] = x->shard[i];
    return DDPM_OK;
}

/* Opens the shards, one source each. */
static int open_shards(struct files *f, const struct index *x, ddpm_error *err)
{
    f->source = dd_arena(&f->arena, x->shards, sizeof *f->source);
    if (!f->source)
        return dd_error_memory(err, "the paths of a checkpoint");

    for (size_t i = 0; i < x->shards; i++) {
        char *file = dd_arena_text(&f->arena, "%s/%s", x->folder, x->shard[i]);
        if (!file)
            return dd_error_memory(err, "the paths of a checkpoint");

        /* Closing f closes this many sources, including a source that fails to open. */
        f->sources = i + 1;
        int code = source_open(&f->source[i], file, err);
        if (code)
            return code;
        if (f->source[i].states != 1 || *f->source[i].state->path)
            return dd_error(err, DDPM_EDATA, "%s: is no shard of %s: it holds more than one table of tensors",
                            file, x->path);
    }
    return DDPM_OK;
}

/* Makes the tensors of all shards one state, in the first source.  Every tensor of weight_map has to be in
   its shard, and a shard may have no other. */
static int merge(struct files *f, const struct index *x, ddpm_error *err)
{
    size_t n = 0, total = 0;
    for (size_t i = 0; i < f->sources; i++)
        total += f->source[i].state->tensors;
    struct named *list = dd_arena(&f->source->arena, total + 1, sizeof *list);
    if (!list)
        return dd_error_memory(err, "the paths of a checkpoint");

    for (const cJSON *c = x->map->child; c; c = c->next) {
        const char **at = bsearch(&c->valuestring, x->shard, x->shards, sizeof *x->shard, text_order);

        /* weight_map may not name more tensors than the shards hold. */
        const struct named *found = at ? source_find(f->source[at - x->shard].state, c->string) : NULL;
        if (!found || n == total)
            return dd_error(err, DDPM_EDATA, "%s: tensor %.100s is not in %.100s", x->path, c->string,
                            c->valuestring);
        list[n++] = *found;
    }
    if (n != total)
        return dd_error(err, DDPM_EDATA, "%s: lists %zu tensors, but its shards hold %zu", x->path, n, total);

    f->source->states = 0;
    return source_add(f->source, "", list, n, err);
}

/* Opens the weights whose index is at path, in shards in folder. */
static int open_sharded(struct files *f, const char *folder, const char *path, ddpm_error *err)
{
    struct index x = { .path = path, .folder = folder };
    cJSON *root;
    int code = python_json_file(&root, path, err);
    if (code)
        return code;

    x.map = cJSON_GetObjectItemCaseSensitive(root, "weight_map");
    if (!cJSON_IsObject(x.map))
        code = dd_error(err, DDPM_EDATA, "%s: weight_map is missing", path);
    if (!code && (code = list_shards(&x, f, err)) == DDPM_OK && (code = open_shards(f, &x, err)) == DDPM_OK)
        code = merge(f, &x, err);
    cJSON_Delete(root);
    return code;
}

/* ---- which file of weights ---- */

/* Returns whether a form is an index of shards: every second one is. */
static int is_index(int form)
{
    return form % 2;
}

/* Returns the path of a file of weights, or of the index of several; NULL when out of memory. */
static char *weights_path(struct files *f, const char *folder, int variant, int form)
{
    const char *name = variants[variant].name, *dot = *name ? "." : "";
    if (is_index(form))
        return dd_arena_text(&f->arena, "%s/diffusion_pytorch_model.%s%s%s.json", folder, forms[form], dot,
                             name);
    return dd_arena_text(&f->arena, "%s/diffusion_pytorch_model%s%s.%s", folder, dot, name, forms[form]);
}

/* Remembers the first file that holds other weights than variant `taken`.  Half precision variants hold
   the same weights. */
static int find_others(struct files *f, const char *folder, int taken, ddpm_error *err)
{
    for (int i = 0; i < VARIANTS && !f->others; i++)
        for (int form = 0; form < FORMS && !f->others; form++) {
            char *path = weights_path(f, folder, i, form);
            if (!path)
                return dd_error_memory(err, "the paths of a checkpoint");
            if (i != taken && (*variants[i].label || !*variants[i].name) && diffusers_is_file(path))
                f->others = path + strlen(folder) + 1;
        }
    return DDPM_OK;
}

/* Finds the file to take: the average first, or last where raw weights are wanted. */
static int find_weights(struct files *f, const char *folder, const char *want, ddpm_error *err)
{
    static const int all[VARIANTS] = { 0, 1, 2, 3, 4 }, without[VARIANTS] = { 2, 1, 3, 4, 0 };
    const int *order = want && !strcmp(want, "raw") ? without : all;
    for (int i = 0; i < VARIANTS; i++)
        for (int form = 0; form < FORMS; form++) {
            char *path = weights_path(f, folder, order[i], form);
            if (!path)
                return dd_error_memory(err, "the paths of a checkpoint");
            if (!diffusers_is_file(path))
                continue;

            f->weights = path;
            f->sharded = is_index(form);
            if (*variants[order[i]].label)
                f->label = variants[order[i]].label;
            return find_others(f, folder, order[i], err);
        }
    return DDPM_EMISSING;
}

static bool is_weights(const char *folder, const char *name)
{
    (void)folder;
    static const char *const endings[] = { ".safetensors", ".bin",  ".pt", ".pth", ".ckpt",
                                           ".msgpack",     ".onnx", ".h5", ".pkl" };
    const char *dot = strrchr(name, '.');
    for (size_t k = 0; dot && k < sizeof endings / sizeof *endings; k++)
        if (!strcmp(dot, endings[k]))
            return true;
    return false;
}

int diffusers_no_weights(const char *folder, const char *lacks, ddpm_error *err)
{
    char list[300] = "";
    char **name;
    size_t n;
    dd_names_list(&name, &n, folder, is_weights, NULL);
    for (size_t i = 0; i < n && strlen(list) < 200; i++)
        dd_names_join(list, sizeof list, name[i]);
    dd_names_free(name, n);

    return dd_error(err, DDPM_EMISSING, "%s: %s%s%s%s", folder, lacks, *list ? "; there is " : "", list,
                    *list ? ": give the file that is meant" : "");
}

int diffusers_weights_open(struct files *f, const char *folder, const char *want, ddpm_error *err)
{
    int code = find_weights(f, folder, want, err);
    if (code == DDPM_EMISSING)
        return diffusers_no_weights(
            folder, "there is a config.json but no weights (diffusion_pytorch_model.safetensors or .bin)",
            err);
    if (code)
        return code;
    if (f->sharded)
        return open_sharded(f, folder, f->weights, err);

    f->source = dd_arena(&f->arena, 1, sizeof *f->source);
    if (!f->source)
        return dd_error_memory(err, "the paths of a checkpoint");
    f->sources = 1;
    return source_open(f->source, f->weights, err);
}
