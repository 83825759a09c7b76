/* Opens a checkpoint that another program wrote (checkpoint.h).  It finds and reads the files, chooses the
   U-Net among their tensors (unwrap.h), lays out each tensor, and joins what is known about the weights. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/hash.h"
#include "base/names.h"
#include "base/system.h"
#include "checkpoint/diffusers_folder.h"
#include "checkpoint/unwrap.h"

static int hash_data(char hex[65], const unsigned char *data, size_t size, ddpm_error *err)
{
    struct dd_hash hash;
    if (dd_hash_begin(&hash) != 0)
        return dd_error_memory(err, "the tensors of a checkpoint");
    dd_hash_add(&hash, data, size);
    dd_hash_end(&hash, hex);
    return DDPM_OK;
}

static int hash_file(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file file;
    int code = dd_file_map(&file, path, err);
    if (code)
        return code;

    code = hash_data(hex, file.data, file.size, err);
    dd_file_unmap(&file);
    return code;
}

/* Makes the single source of a checkpoint that is one file.  Returns NULL, and an error, when out of
   memory. */
static struct source *only_source(struct files *f, const char *name, ddpm_error *err)
{
    f->weights = name;
    f->source = dd_arena(&f->arena, 1, sizeof *f->source);
    if (!f->source)
        dd_error_memory(err, "the tensors of a checkpoint");
    f->sources = f->source != NULL;
    return f->source;
}

static int open_files(struct files *f, const char *path, const char *want, ddpm_error *err)
{
    if (dd_system_is_folder(path))
        return diffusers_folder_open(f, path, want, err);

    struct source *s = only_source(f, path, err);
    return s ? source_open(s, path, err) : DDPM_ENOMEM;
}

/* ---- the U-Net in a checkpoint ---- */

/* Fills c->tensor with the place and layout of every tensor of the choice. */
static int lay_out(struct checkpoint *c, struct files *f, const struct choice *choice, ddpm_error *err)
{
    c->tensor = dd_arena(&f->arena, choice->tensors, sizeof *c->tensor);
    if (!c->tensor)
        return dd_error_memory(err, "the tensors of a checkpoint");
    c->tensors = choice->tensors;

    for (size_t i = 0; i < choice->tensors; i++) {
        int code = source_tensor(&c->tensor[i], &choice->tensor[i], err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

void checkpoint_add_note(char *notes, size_t size, const char *format, va_list arguments)
{
    size_t used = strlen(notes);
    vsnprintf(notes + used, size - used, format, arguments);

    /* A line that was cut short gets no newline. */
    used = strlen(notes);
    if (used + 1 < size)
        memcpy(notes + used, "\n", 2);
}

static void note(struct checkpoint *c, const char *format, ...) DD_PRINTF(2, 3);

static void note(struct checkpoint *c, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    checkpoint_add_note(c->notes, sizeof c->notes, format, arguments);
    va_end(arguments);
}

/* Fills c with the U-Net among the tensors of f.  If folder or file names give a label, want is compared
   later, by label(). */
static int choose(struct checkpoint *c, struct files *f, const char *want, ddpm_error *err)
{
    struct choice choice = { 0 };
    int code = unwrap(&choice, &f->arena, f->source, *f->label ? NULL : want, err);
    if (code || (code = lay_out(c, f, &choice, err)) != DDPM_OK)
        return code;

    c->weights = choice.weights;
    c->has_ema = choice.has_ema;
    c->has_raw = choice.has_raw;
    c->version = f->source->version;
    const char *slash = strrchr(f->weights, '/');
    strncpy(c->file, slash ? slash + 1 : f->weights, sizeof c->file - 1);

    if (choice.left)
        note(c, "left out: %zu tensors of other networks beside the U-Net, such as %.120s", choice.left,
             choice.left_name);
    if (f->source->named_like && *c->weights == 'e')
        note(c,
             "the averaged tensors have no names: they have those of %s, in whose order and shapes they are",
             *f->source->named_like ? f->source->named_like : "the table beside them");
    if (*f->source->torch.pickle.foreign)
        note(c, "passed over: objects of %s, of which nothing was executed", f->source->torch.pickle.foreign);
    return DDPM_OK;
}

/* ---- what is known about the weights ---- */

static bool is_average(const char *folder, const char *name)
{
    (void)folder;
    return !strncmp(name, "ema_", 4);
}

/* Returns the name of a file with the average of the same step, in the folder of the file at path, or
   NULL.  OpenAI's training writes ema_0.9999_000100.pt beside model000100.pt. */
static const char *average_of_step(struct files *f, const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path, *found = NULL;
    char *folder = slash ? dd_arena_text(&f->arena, "%.*s/", (int)(slash - path), path) : ".";

    /* For model000100.pt the end is "_000100.pt". */
    char *end = strncmp(base, "model", 5) ? NULL : dd_arena_text(&f->arena, "_%s", base + 5);

    char **name = NULL;
    size_t count = 0;
    if (folder && end)
        dd_names_list(&name, &count, folder, is_average, NULL);
    for (size_t i = 0; i < count && !found; i++) {
        size_t n = strlen(name[i]), m = strlen(end);
        if (n > m && !strcmp(name[i] + n - m, end))
            found = dd_arena_text(&f->arena, "%s", name[i]);
    }
    dd_names_free(name, count);
    return found;
}

/* Joins what the tensors and what their place tell about the weights, and notes what lies beside them.
   Weights that nothing labels keep the label "". */
static int label(struct checkpoint *c, struct files *f, const char *want, ddpm_error *err)
{
    /* The tensors count more than their place. */
    if (!*f->label && *c->weights == 'r')
        f->average_beside = f->source->beside;
    if (!*c->weights && *f->label) {
        c->weights = f->label;
        c->has_ema = f->both || *f->label == 'e';
        c->has_raw = f->both || *f->label == 'r';
    }

    if (want && *c->weights && strcmp(want, c->weights))
        return dd_error(err, DDPM_EDATA, "%s: holds %s weights only, not the %s ones asked for%s%s",
                        f->weights, *c->weights == 'e' ? "averaged (ema)" : "raw",
                        *want == 'e' ? "averaged" : "raw",
                        f->average_beside ? ": those are beside it, in " : "",
                        f->average_beside ? f->average_beside : "");
    if (want && *want == 'e' && !*c->weights)
        return dd_error(err, DDPM_EDATA,
                        "%s: nothing says that its weights are averaged (ema), and it has no others: "
                        "leave --weights out to take them",
                        f->weights);

    if (f->average_beside && !f->both)
        note(c, "the averaged weights are beside it, in %s", f->average_beside);
    c->others = f->others != NULL;
    if (f->others)
        note(c, "other weights are beside it, in %s", f->others);
    if (f->scheduler && f->scheduler_above)
        note(c, "the scheduler is that of %.300s", f->scheduler_path);
    return DDPM_OK;
}

/* ---- opening and closing ---- */

/* Empties *c and allocates its files.  Returns NULL, and an error, when out of memory. */
static struct files *begin(struct checkpoint *c, ddpm_error *err)
{
    struct files *f = calloc(1, sizeof *f);
    *c = (struct checkpoint){ .owned = f };
    if (f)
        f->label = "";
    else
        dd_error_memory(err, "the tensors of a checkpoint");
    return f;
}

/* Returns whether a path ends like "model-00001-of-00003.safetensors", one of several files that form a
   model only together. */
static int is_shard(const char *path)
{
    static const char digits[] = "0123456789";
    const char *at = strstr(path, "-of-");
    return at && at - path > 6 && at[-6] == '-' && strspn(at - 5, digits) == 5 &&
           strspn(at + 4, digits) == 5 && strncmp(at + 4, "00001", 5) && !strchr(at, '/');
}

int checkpoint_open(struct checkpoint *c, const char *path, const char *want, const char *part,
                    ddpm_error *err)
{
    struct files *f = begin(c, err);
    if (!f)
        return DDPM_ENOMEM;

    int code = open_files(f, path, want, err);
    if (!code && is_shard(path))
        code = dd_error(err, DDPM_EDATA, "%s: is one of several files of a model: give their folder", path);

    /* In a folder, its own files tell which weights are averaged. */
    int folder = f->config != NULL;
    if (!code) {
        f->source->part = part;
        f->source->beside = folder ? NULL : average_of_step(f, path);
        code = choose(c, f, want, err);
    }

    /* A single file with this tensor holds diffusers' weights, whose configuration lies beside it. */
    if (!code && !folder && checkpoint_find(c, "time_embedding.linear_1.weight"))
        code = diffusers_folder_beside(f, path, err);
    c->config = f->config;
    c->scheduler = f->scheduler;

    if (!code)
        code = label(c, f, want, err);
    if (!code && f->sharded)
        code = hash_file(c->sha256, f->weights, err);
    else if (!code)
        code = hash_data(c->sha256, f->source->file.data, f->source->file.size, err);
    if (code)
        checkpoint_close(c);
    return code;
}

int checkpoint_open_memory(struct checkpoint *c, const unsigned char *data, size_t size, const char *name,
                           const char *want, ddpm_error *err)
{
    struct files *f = begin(c, err);
    struct source *s = f ? only_source(f, name, err) : NULL;
    int code = s ? source_read(s, data, size, name, err) : DDPM_ENOMEM;

    if (!code && (code = choose(c, f, want, err)) == DDPM_OK && (code = label(c, f, want, err)) == DDPM_OK)
        code = hash_data(c->sha256, data, size, err);
    if (code)
        checkpoint_close(c);
    return code;
}

int checkpoint_unchanged(const struct checkpoint *c, ddpm_error *err)
{
    const struct files *f = c->owned;
    int code = DDPM_OK;
    for (size_t i = 0; i < f->sources && !code; i++)
        code = dd_file_unchanged(&f->source[i].file, f->source[i].name, err);
    return code;
}

void checkpoint_close(struct checkpoint *c)
{
    struct files *f = c->owned;
    if (f) {
        for (size_t i = 0; i < f->sources; i++)
            source_close(&f->source[i]);
        cJSON_Delete(f->config);
        cJSON_Delete(f->scheduler);
        dd_arena_free(&f->arena);
        free(f);
    }
    *c = (struct checkpoint){ 0 };
}

static int tensor_order(const void *a, const void *b)
{
    return strcmp(((const struct checkpoint_tensor *)a)->name, ((const struct checkpoint_tensor *)b)->name);
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name)
{
    struct checkpoint_tensor key = { .name = name };
    return bsearch(&key, c->tensor, c->tensors, sizeof key, tensor_order);
}
