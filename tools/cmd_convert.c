/* ddpm convert: a foreign checkpoint to a model file.  The family's names become ours, every tensor is accounted for, and
   what was written is read again and compared bit for bit. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/dtype.h"
#include "base/scan.h"
#include "cli/command_model.h"
#include "cli/ending.h"
#include "family/export_diffusers.h"
#include "family/family.h"
#include "cli/json_line.h"
#include "cli/options.h"

struct convert {
    struct common common;
    const char *output, *family, *weights, *part, *dtype, *to;
    struct option_texts config, set;
    bool dry_run, force;
};
static const struct convert defaults = { .family = "auto", .dtype = "f32" };

/* ---- from the checkpoint to a model in memory ---- */

static int gather_rows(float *out, const struct conversion *v, const struct want *w, int64_t row,
                       const struct checkpoint_tensor *t)
{
    float *all = malloc((size_t)(w->parts * w->dim[0] * row) * sizeof *all);
    if (!all)
        return dd_error(v->err, DDPM_ENOMEM, "out of memory for %s", w->from);
    int code = checkpoint_floats(v->in, t, all, v->err);
    for (int64_t r = 0; r < w->dim[0] && !code; r++) {
        int64_t theirs = (r / w->run * w->parts + w->part) * w->run + r % w->run;
        memcpy(out + r * row, all + theirs * row, (size_t)row * sizeof *out);
    }
    free(all);
    return code;
}

static int64_t elements(const ddpm_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

static int fill_want(const struct conversion *v, const struct want *w, const ddpm_tensor *t)
{
    int64_t row = 1;
    for (int i = 1; i < w->rank; i++)
        row *= w->dim[i];
    if (elements(t) != w->dim[0] * row || t->dtype != DDPM_F32)
        return dd_error(
            v->err, DDPM_EUNSUPPORTED,
            "%s has %lld elements in the model and %lld in the checkpoint: the converter and the network "
            "disagree",
            w->name, (long long)elements(t), (long long)(w->dim[0] * row));
    const struct checkpoint_tensor *from = checkpoint_find(v->in, w->from);
    return w->parts > 0 ? gather_rows(t->data, v, w, row, from)
                        : checkpoint_floats(v->in, from, t->data, v->err);
}

static int want_order(const void *a, const void *b)
{
    return strcmp(((const struct want *)a)->name, ((const struct want *)b)->name);
}

/* The tensors that no checkpoint holds under any name. */
static bool fill_own(const struct conversion *v, const ddpm_tensor *t)
{
    if (!strcmp(t->name, "time.freq") && elements(t) == v->freqs) {
        memcpy(t->data, v->freq, (size_t)v->freqs * sizeof *v->freq);
        return true;
    }
    if (v->beta && elements(t) == v->steps && !strcmp(t->name, "schedule.beta"))
        memcpy(t->data, v->beta, (size_t)v->steps * sizeof *v->beta);
    if (v->alpha_bar && elements(t) == v->steps && !strcmp(t->name, "schedule.alpha_bar"))
        memcpy(t->data, v->alpha_bar, (size_t)v->steps * sizeof *v->alpha_bar);
    return !strncmp(t->name, "schedule.", 9);
}

static int fill(struct conversion *v, ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t count = ddpm_model_tensors(m, &t), met = 0;
    int code = DDPM_OK;
    qsort(v->want, v->wants, sizeof *v->want, want_order);
    for (size_t i = 0; i < count && !code; i++) {
        struct want key = { .name = "" };
        snprintf(key.name, sizeof key.name, "%s", t[i].name);
        const struct want *w = bsearch(&key, v->want, v->wants, sizeof key, want_order);
        if (w)
            code = fill_want(v, w, &t[i]);
        else if (!fill_own(v, &t[i]))
            code = dd_error(v->err, DDPM_EUNSUPPORTED,
                            "the model has a tensor %s, which the converter does not know", t[i].name);
        met += w != NULL;
    }
    if (!code && met != v->wants)
        code =
            dd_error(v->err, DDPM_EUNSUPPORTED,
                     "the model takes %zu of the checkpoint's tensors, the converter has %zu", met, v->wants);
    return code;
}

/* The metadata without "id", as a text to be freed with cJSON_free; NULL when out of memory. */
static char *metadata(struct conversion *v, const struct family *f)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "version", 1);
    cJSON_AddItemToObject(root, "net", v->net);
    cJSON_AddItemToObject(root, "diffusion", v->diffusion);
    v->net = v->diffusion = NULL;
    cJSON *source = cJSON_AddObjectToObject(root, "source");
    cJSON_AddStringToObject(source, "family", f->name);
    cJSON_AddStringToObject(source, "file", v->in->file);
    cJSON_AddStringToObject(source, "sha256", v->in->sha256);
    cJSON_AddStringToObject(source, "weights", *v->in->weights != '\0' ? v->in->weights : "unknown");
    char *text = cJSON_AddStringToObject(source, "program", "ddpm " DDPM_VERSION) == NULL
                     ? NULL
                     : cJSON_PrintUnformatted(root);
    if (text)
        dd_scan_repair(text);
    cJSON_Delete(root);
    return text;
}

static int build(ddpm_model **m, char **json, struct conversion *v, const struct family *f)
{
    *json = metadata(v, f);
    if (!*json)
        return dd_error(v->err, DDPM_ENOMEM, "out of memory");
    int code = ddpm_model_create(m, *json, v->err);
    if (code)
        return dd_error_context(v->err, "%s", v->in->file);
    code = fill(v, *m);
    return code ? code : checkpoint_unchanged(v->in, v->err);
}

/* ---- to the file, and back ---- */

/* made as it was written: of the type of read, into bytes. */
static int as_written(void *bytes, const ddpm_tensor *made, int type, size_t n)
{
    if (made->dtype == type)
        memcpy(bytes, made->data, n * (type == DDPM_F64 ? 8 : type == DDPM_F32 ? 4 : 2));
    else if (made->dtype == DDPM_F32 && type == DDPM_F16)
        dd_dtype_to_half(bytes, made->data, n);
    else
        return made->dtype == DDPM_F16 && type == DDPM_F32 ? dd_dtype_to_float(bytes, made->data, DD_F16, n)
                                                           : DDPM_EIO;
    return DDPM_OK;
}

static int same_tensor(const ddpm_tensor *made, const ddpm_tensor *read, const char *path, ddpm_error *err)
{
    size_t n = (size_t)elements(made), size = read->dtype == DDPM_F64 ? 8 : read->dtype == DDPM_F32 ? 4 : 2;
    void *bytes = malloc(n * size);
    if (!bytes)
        return dd_error(err, DDPM_ENOMEM, "out of memory");
    bool same = !strcmp(made->name, read->name) && elements(read) == elements(made) &&
                as_written(bytes, made, read->dtype, n) == DDPM_OK && !memcmp(bytes, read->data, n * size);
    free(bytes);
    return same ? DDPM_OK
                : dd_error(err, DDPM_EIO, "%s: read again, %s is not what was written; the file is removed",
                           path, made->name);
}

static int compare(char id[65], const ddpm_model *made, const char *path, ddpm_error *err)
{
    ddpm_model *read;
    const ddpm_tensor *a, *b;
    int code = ddpm_model_open(&read, path, err);
    if (code)
        return code;
    size_t n = ddpm_model_tensors(made, &a);
    if (ddpm_model_tensors(read, &b) != n)
        code = dd_error(err, DDPM_EIO,
                        "%s: read again, it has another number of tensors; the file is removed", path);
    for (size_t i = 0; i < n && !code; i++)
        code = same_tensor(&a[i], &b[i], path, err);
    if (!code)
        code = ddpm_model_check(read, err);
    memcpy(id, ddpm_model_about(read)->id, 65);
    ddpm_model_close(read);
    return code;
}

static int write_new(char id[65], const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    int code = ddpm_model_save(m, path, flags, err);
    if (!code && (code = compare(id, m, path, err)) != DDPM_OK)
        unlink(path);
    return code;
}

/* A file that is there is replaced once the new one, beside it, has been read again. */
static int replace(char id[65], const ddpm_model *m, const char *path, unsigned flags, ddpm_error *err)
{
    size_t size = strlen(path) + 32;
    char *beside = malloc(size);
    if (!beside)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a path");
    snprintf(beside, size, "%s.%ld.tmp", path, (long)getpid());
    int code = write_new(id, m, beside, flags, err);
    if (!code && rename(beside, path) != 0)
        code = dd_error(err, DDPM_EIO, "%s: cannot be put in place: %s", path, strerror(errno));
    if (code)
        unlink(beside);
    free(beside);
    return code;
}

static int write_model(char id[65], const ddpm_model *m, const struct convert *s, ddpm_error *err)
{
    unsigned flags = (!strcmp(s->dtype, "f16") ? DDPM_SAVE_F16 : 0) | (s->force ? DDPM_SAVE_REPLACE : 0);
    struct stat st;
    bool there = s->force && lstat(s->output, &st) == 0 && S_ISREG(st.st_mode);
    return (there ? replace : write_new)(id, m, s->output, flags, err);
}

/* ---- what is said about it ---- */

static void tell_notes(struct conversion *v, const struct convert *s, const struct family *f)
{
    const struct checkpoint *c = v->in;
    char *place;
    if (c->has_ema && c->has_raw)
        remark(&command_convert, &s->common, "%s: %s, the %s weights (--weights %s for the others)", c->file,
               f->origin, !strcmp(c->weights, "ema") ? "averaged (ema)" : "raw",
               !strcmp(c->weights, "ema") ? "raw" : "ema");
    else
        remark(&command_convert, &s->common, "%s: %s, %s", c->file, f->origin,
               !strcmp(c->weights, "ema")   ? "averaged (ema) weights"
               : !strcmp(c->weights, "raw") ? "raw weights"
               : c->others                  ? "weights of which nothing says whether they are averaged or raw"
                           : "the only weights there are (averaged or raw, it does not say)");
    for (char *line = strtok_r(v->notes, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
        remark(&command_convert, &s->common, "%s", line);
}

static void tell_json(const struct conversion *v, const struct convert *s, const char *json, const char *id,
                      double parameters)
{
    cJSON *o = cJSON_Parse(json);
    if (!s->dry_run) {
        cJSON_AddStringToObject(o, "id", id);
        cJSON_AddStringToObject(o, "output", s->output);
        cJSON_AddStringToObject(o, "dtype", s->dtype);
    }
    cJSON_AddNumberToObject(o, "tensors", (double)v->wants);
    cJSON_AddNumberToObject(o, "parameters", parameters);
    json_line(o);
}

static void tell(const struct conversion *v, const struct convert *s, const char *json, const char *id)
{
    double parameters = 0;
    for (size_t i = 0; i < v->wants; i++) {
        double n = 1;
        for (int k = 0; k < v->want[i].rank; k++)
            n *= (double)v->want[i].dim[k];
        parameters += n;
    }
    if (s->common.json)
        tell_json(v, s, json, id, parameters);
    else if (s->dry_run)
        puts(json);
    if (s->dry_run && !s->common.json)
        for (size_t i = 0; i < v->wants; i++)
            printf("%s <- %s\n", v->want[i].name, v->want[i].from);
    remark(&command_convert, &s->common, "%s%s: %zu tensors, %.0f parameters",
           s->dry_run ? "would be written" : "written to ", s->dry_run ? "" : s->output, v->wants,
           parameters);
}

/* ---- the other way ---- */

static int export_model(const struct convert *s, const char *path, ddpm_error *err)
{
    ddpm_model *m;
    char id[65];
    bool folder = !strcmp(s->to, "diffusers");
    if (s->dry_run || s->weights || s->part || s->config.count || s->set.count || strcmp(s->family, "auto"))
        return dd_error(err, DDPM_EUSAGE,
                        "--to %s writes what the model file holds: only -o, --force%s go with it", s->to,
                        folder ? "" : " and --dtype");
    if (folder && strcmp(s->dtype, "f32"))
        return dd_error(err, DDPM_EUSAGE, "--to diffusers writes float32: leave --dtype %s out", s->dtype);
    int code = model_open_whole(&m, path, err);
    if (code)
        return code;
    code = folder ? export_diffusers(m, s->output, s->force, err) : write_model(id, m, s, err);
    ddpm_model_close(m);
    if (!code)
        remark(&command_convert, &s->common, "written to %s for %s", s->output, s->to);
    return code;
}

/* ---- the command ---- */

static int add_settings(struct settings *say, const struct checkpoint *c, const struct convert *s)
{
    int code = settings_add_object(say, c->config, "unet", "config.json");
    if (!code)
        code = settings_add_object(say, c->scheduler, "scheduler", "scheduler_config.json");
    for (int i = 0; i < s->config.count && !code; i++)
        code = settings_add_file(say, s->config.text[i]);
    for (int i = 0; i < s->set.count && !code; i++)
        code = settings_add_text(say, s->set.text[i]);
    return code;
}

static int convert(struct conversion *v, const struct convert *s)
{
    const struct family *f;
    ddpm_model *m = NULL;
    char *json = NULL, id[65] = "";
    int code = family_find(&f, s->family, v->in, v->err);
    if (!code && (code = add_settings(v->say, v->in, s)) == DDPM_OK && (code = family_read(v, f)) == DDPM_OK)
        code = build(&m, &json, v, f);
    if (!code && !s->dry_run)
        code = write_model(id, m, s, v->err);
    if (!code) {
        tell_notes(v, s, f);
        tell(v, s, json, id);
    }
    ddpm_model_close(m);
    cJSON_free(json);
    return code;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct convert *s = settings;
    struct checkpoint in;
    struct settings say;
    ddpm_error err;
    (void)arguments;
    if (input_check(argument[0], &err))
        return complain(&command_convert, &err);
    if (!s->output && !s->dry_run) {
        dd_error(&err, DDPM_EUSAGE, "where to? add -o MODEL.ddpm, or --dry-run to see what would be done");
        return complain(&command_convert, &err);
    }
    bool folder = s->to && !strcmp(s->to, "diffusers");
    if (s->output && !folder && ending_check(s->output, &err))
        return complain(&command_convert, &err);
    if (s->to)
        return export_model(s, argument[0], &err) ? complain(&command_convert, &err) : 0;
    int code = checkpoint_open(&in, argument[0], s->weights, s->part, &err);
    if (code)
        return complain(&command_convert, &err);
    settings_begin(&say, &err);
    struct conversion v = { .in = &in, .say = &say, .err = &err };
    snprintf(v.notes, sizeof v.notes, "%s", in.notes);
    code = convert(&v, s);
    /* Of a folder in.file is only the weights. */
    const char *slash = strrchr(argument[0], '/');
    if (code == DDPM_EDATA && strcmp(slash ? slash + 1 : argument[0], in.file))
        dd_error_context(&err, "%s", argument[0]);
    conversion_free(&v);
    settings_free(&say);
    checkpoint_close(&in);
    return code ? complain(&command_convert, &err) : 0;
}

static const char *const *weights_names(void)
{
    static const char *const names[] = { "ema", "raw", NULL };
    return names;
}

static const char *const *to_names(void)
{
    static const char *const names[] = { "diffusers", "ddpm", NULL };
    return names;
}

static const char *const *dtype_names(void)
{
    static const char *const names[] = { "f32", "f16", NULL };
    return names;
}

#define FIELD(f) offsetof(struct convert, f)
static const struct option options[] = {
    { "output", 'o', OPTION_TEXT, "MODEL", "the model file to write; needed unless --dry-run", NULL,
      FIELD(output), 0, 0 },
    { "to", 0, OPTION_CHOICE, "PROGRAM",
      "IN is a model file: -o is a folder for diffusers, or a model file again, of --dtype", to_names,
      FIELD(to), 0, 0 },
    { "family", 0, OPTION_CHOICE, "NAME",
      "whose checkpoint it is (default: auto, by the names of its tensors)", family_names, FIELD(family), 0,
      0 },
    { "weights", 0, OPTION_CHOICE, "KIND",
      "averaged or raw weights, of a file or folder with both (default: ema where it exists)", weights_names,
      FIELD(weights), 0, 0 },
    { "part", 0, OPTION_TEXT, "NAME",
      "which U-Net of a file with several, or beside other networks: the beginning of its tensors' names",
      NULL, FIELD(part), 0, 0 },
    { "config", 0, OPTION_TEXTS, "FILE",
      "what the checkpoint does not say: JSON or YAML nested as its origin nests it, or OpenAI's flags", NULL,
      FIELD(config), 0, 0 },
    { "set", 0, OPTION_TEXTS, "KEY=VALUE",
      "one such value under the origin's own name, before all else: num_heads=4, model.ch=128", NULL,
      FIELD(set), 0, 0 },
    { "dtype", 0, OPTION_CHOICE, "TYPE", "of weights with two and more dimensions (default: f32)",
      dtype_names, FIELD(dtype), 0, 0 },
    { "dry-run", 0, OPTION_FLAG, NULL,
      "write nothing; print the configuration and where each tensor comes from", NULL, FIELD(dry_run), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing MODEL", NULL, FIELD(force), 0, 0 },
};
const struct command command_convert = {
    .name = "convert",
    .arguments = "IN",
    .least = 1,
    .most = 1,
    .run = run,
    .does = "Turns a foreign checkpoint into a model file: a diffusers folder, OpenAI's .pt, a .ckpt or .pth "
            "of Ho's network\n"
            "(pesser, ermongroup), lucidrains' .pt, or a safetensors file of any of them.  Every tensor is "
            "accounted for; what is\n"
            "written is read again and compared.  With --to, a model file to a folder for another program, "
            "or to one of smaller weights.",
    .examples = "  ddpm convert ddpm-cifar10-32/ -o cifar10.ddpm\n"
                "  ddpm convert ema_0.9999_500000.pt --config flags.txt --set num_heads=4 --set "
                "rescale_timesteps=true -o cifar10.ddpm\n"
                "  ddpm convert model-790000.ckpt --set resolution=32 -o cifar10.ddpm\n"
                "  ddpm convert model-7.pt --set image_size=128 --dtype f16 -o flowers.ddpm\n"
                "  ddpm convert model.ddpm -o folder --to diffusers\n"
                "  ddpm convert model.ddpm -o small.ddpm --to ddpm --dtype f16\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct convert),
    .defaults = &defaults,
};
