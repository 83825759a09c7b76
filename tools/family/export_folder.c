/* Writes the folder of a diffusers pipeline (export_folder.h).

   All files are written under temporary names before the first of them is renamed.  So if a file cannot be
   written, the earlier contents of the folder stay whole.  If renaming fails, the files of a new folder are
   removed. */
#include "family/export_folder.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/safetensors.h"
#include "base/system.h"
#include "family/family.h"

static const char index_text[] =
    "{\n  \"_class_name\": \"DDPMPipeline\",\n  \"_diffusers_version\": \"" EXPORT_DIFFUSERS "\",\n"
    "  \"scheduler\": [\"diffusers\", \"DDPMScheduler\"],\n  \"unet\": [\"diffusers\", \"UNet2DModel\"]\n}\n";

enum { WEIGHTS, CONFIG, SCHEDULER, INDEX, FILES };

static const char *const names[FILES] = { "unet/diffusion_pytorch_model.safetensors", "unet/config.json",
                                          "scheduler/scheduler_config.json", "model_index.json" };

/* Makes a folder.  may_exist: a folder that exists already is accepted. */
static int make_folder(const char *path, bool may_exist, ddpm_error *err)
{
    if (dd_system_make_folder(path))
        return DDPM_OK;
    int number = errno;

    if (number == EEXIST && !may_exist)
        return dd_error(err, DDPM_ECREATE,
                        "%s: exists already: choose another name, or allow it to be replaced (--force)",
                        path);
    if (number == EEXIST && dd_system_is_folder(path))
        return DDPM_OK;
    return dd_error(err, dd_file_code(number, DDPM_ECREATE), "%s: cannot be made a folder: %s", path,
                    strerror(number));
}

/* Describes a tensor as float32 for the file of weights.  float16 is widened into the arena. */
static int make_entry(struct dd_entry *e, const ddpm_tensor *t, struct dd_arena *arena)
{
    *e = (struct dd_entry){ .name = t->name, .dtype = DD_F32, .rank = t->rank, .count = 1, .data = t->data };
    for (int i = 0; i < t->rank; i++)
        e->count *= e->dim[i] = (uint64_t)t->dim[i];
    e->size = (size_t)e->count * sizeof(float);

    if (t->dtype != DDPM_F16)
        return DDPM_OK;
    float *wide = dd_arena(arena, (size_t)e->count, sizeof *wide);
    e->data = (const unsigned char *)wide;
    return wide ? dd_dtype_to_float(wide, t->data, DD_F16, (size_t)e->count) : DDPM_ENOMEM;
}

static int write_weights(FILE *f, const ddpm_model *m, ddpm_error *err)
{
    static const char *const meta[] = { "format", "pt", NULL };
    const ddpm_tensor *t;
    struct dd_arena arena = { NULL };
    size_t n = ddpm_model_tensors(m, &t), entries = 0;
    struct dd_entry *entry = dd_arena(&arena, n, sizeof *entry);
    int code = entry ? DDPM_OK : dd_error_memory(err, "the exported folder");

    for (size_t i = 0; i < n && !code; i++)
        if (family_is_weight(t[i].name) && make_entry(&entry[entries++], &t[i], &arena) != DDPM_OK)
            code = dd_error_memory(err, "the exported folder");
    if (!code)
        code = dd_safetensors_write(f, entry, entries, meta, err);

    dd_arena_free(&arena);
    return code;
}

static int write_text(FILE *f, const cJSON *object, ddpm_error *err)
{
    char *text = cJSON_Print(object);
    if (!text)
        return dd_error_memory(err, "the exported folder");
    fprintf(f, "%s\n", text); /* dd_output_commit reports a failed write */
    cJSON_free(text);
    return DDPM_OK;
}

/* The contents of the four files. */
struct contents {
    const ddpm_model *model;
    const cJSON *unet, *scheduler;
};

/* Writes one of the four files; path is for messages. */
static int write_file(struct dd_output *o, int file, const struct contents *e, const char *path,
                      ddpm_error *err)
{
    int code = DDPM_OK;
    if (file == INDEX)
        fputs(index_text, o->stream); /* dd_output_commit reports a failed write */
    else if (file == WEIGHTS)
        code = write_weights(o->stream, e->model, err);
    else
        code = write_text(o->stream, file == CONFIG ? e->unet : e->scheduler, err);
    return code ? dd_error_context(err, "%s", path) : DDPM_OK;
}

static int write_files(const struct contents *e, const char *folder, char *path, size_t size, bool replace,
                       ddpm_error *err)
{
    struct dd_output output[FILES] = { { .stream = NULL } };
    int code = DDPM_OK, done = 0;
    for (int k = 0; k < FILES && !code; k++) {
        snprintf(path, size, "%s/%s", folder, names[k]);
        code = dd_output_create(&output[k], path, replace, err);
    }

    for (int k = 0; k < FILES && !code; k++) {
        snprintf(path, size, "%s/%s", folder, names[k]);
        code = write_file(&output[k], k, e, path, err);
    }

    /* The index is the last in the list, so the folder becomes a pipeline only when all else is there. */
    for (; done < FILES && !code; done++)
        code = dd_output_commit(&output[done], err);
    for (; done < FILES; done++)
        dd_output_abandon(&output[done]);
    return code;
}

int export_folder_write(const ddpm_model *m, const char *folder, const cJSON *unet, const cJSON *scheduler,
                        bool replace, ddpm_error *err)
{
    const struct contents e = { m, unet, scheduler };
    size_t size = strlen(folder) + 64;
    char *path = malloc(size);
    int code = path ? make_folder(folder, replace, err) : dd_error_memory(err, "the exported folder");
    bool made = !code && !replace;

    for (int k = 0; k < 2 && !code; k++) {
        snprintf(path, size, "%s/%s", folder, k ? "scheduler" : "unet");
        code = make_folder(path, replace, err);
    }
    if (!code)
        code = write_files(&e, folder, path, size, replace, err);

    /* After an error a folder that this call made is removed, files first. */
    const char *const traces[] = { names[WEIGHTS], names[CONFIG], names[SCHEDULER], "unet", "scheduler", "" };
    for (size_t k = 0; made && code && k < sizeof traces / sizeof *traces; k++) {
        snprintf(path, size, "%s/%s", folder, traces[k]);
        if (!dd_system_remove(path))
            dd_system_remove_folder(path);
    }
    free(path);
    return code;
}
