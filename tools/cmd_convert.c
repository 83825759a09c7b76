/* ddpm convert: turns a foreign checkpoint into a model file.  A family reads the configuration and maps
   the names.  Every tensor is accounted for, and the written file is read again and compared bit for bit. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "cli/command_model.h"
#include "cli/ending.h"
#include "cli/json_line.h"
#include "cli/options.h"
#include "family/converted_model.h"
#include "family/written_model.h"

struct convert {
    struct common common;
    const char *output, *family, *weights, *part, *dtype;
    struct option_texts config, set;
    bool dry_run, force;
};
static const struct convert defaults = { .family = "auto", .dtype = "f32" };

/* ---- messages ---- */

/* Tells which weights were taken, and whether there are others. */
static void tell_weights(const struct checkpoint *c, const struct convert *s, const struct family *f)
{
    bool ema = !strcmp(c->weights, "ema"), raw = !strcmp(c->weights, "raw");
    if (c->has_ema && c->has_raw) {
        remark(&command_convert, &s->common,
               ema ? "%s: %s, the averaged (ema) weights (--weights raw for the others)"
                   : "%s: %s, the raw weights (--weights ema for the others)",
               c->file, f->origin);
        return;
    }

    /* A label is never guessed. */
    const char *which = "the only weights there are (averaged or raw, it does not say)";
    if (ema)
        which = "averaged (ema) weights";
    else if (raw)
        which = "raw weights";
    else if (c->others)
        which = "weights of which nothing says whether they are averaged or raw";
    remark(&command_convert, &s->common, "%s: %s, %s", c->file, f->origin, which);
}

static void tell_notes(struct conversion *v, const struct convert *s)
{
    char *place;
    for (char *line = strtok_r(v->notes, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
        remark(&command_convert, &s->common, "%s", line);
}

/* Prints a line for each weight: our name, and the foreign tensor that it comes from. */
static void print_map(const struct conversion *v, const struct family *f, const ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t count = ddpm_model_tensors(m, &t);
    for (size_t i = 0; i < count; i++)
        if (family_is_weight(t[i].name)) {
            struct foreign from;
            family_map(&from, f, v, &t[i]);
            print_plain("%s <- %s\n", t[i].name, from.name);
        }
}

static void print_json(const struct convert *s, const ddpm_model *m, const char *id)
{
    double parameters;
    size_t weights = converted_weights(m, &parameters);

    cJSON *o = cJSON_Parse(ddpm_model_about(m)->json);
    if (!s->dry_run) {
        cJSON_AddStringToObject(o, "id", id);
        cJSON_AddStringToObject(o, "output", s->output);
        cJSON_AddStringToObject(o, "dtype", s->dtype);
    }

    cJSON_AddNumberToObject(o, "tensors", (double)weights);
    cJSON_AddNumberToObject(o, "parameters", parameters);
    json_line(o);
}

static void tell(struct conversion *v, const struct convert *s, const struct family *f, const ddpm_model *m,
                 const char *id)
{
    double parameters;
    size_t weights = converted_weights(m, &parameters);

    tell_weights(v->in, s, f);
    tell_notes(v, s);
    if (s->common.json) {
        print_json(s, m, id);
    } else if (s->dry_run) {
        puts(ddpm_model_about(m)->json);
        print_map(v, f, m);
    }

    if (s->dry_run)
        remark(&command_convert, &s->common, "would be written: %zu tensors, %.0f parameters", weights,
               parameters);
    else
        remark(&command_convert, &s->common, "written to %s: %zu tensors, %.0f parameters", s->output,
               weights, parameters);
}

/* ---- the command ---- */

/* Adds the settings of the checkpoint's folder, of --config and of --set; a later one wins. */
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
    char id[65] = "";
    int code = family_find(&f, s->family, v->in, v->err);
    if (!code)
        code = add_settings(v->say, v->in, s);
    if (!code)
        code = family_read(v, f);
    if (!code)
        code = converted_model(&m, v, f);

    if (!code && !s->dry_run)
        code = write_model(id, m, s->output, !strcmp(s->dtype, "f16"), s->force, v->err);
    if (!code)
        tell(v, s, f, m, id);
    ddpm_model_close(m);
    return code;
}

/* Checks everything that can be checked before the checkpoint is read. */
static int check(const struct convert *s, const char *path, ddpm_error *err)
{
    int code = input_check(path, err);
    if (code)
        return code;
    if (!s->output && !s->dry_run)
        return dd_error(err, DDPM_EUSAGE,
                        "where to? add -o MODEL.ddpm, or --dry-run to see what would be done");
    return s->output ? ending_check(s->output, err) : DDPM_OK;
}

static int run(void *settings, char **argument, int arguments)
{
    const struct convert *s = settings;
    struct checkpoint in;
    struct settings say;
    ddpm_error err;
    (void)arguments;

    if (check(s, argument[0], &err) || checkpoint_open(&in, argument[0], s->weights, s->part, &err))
        return complain(&command_convert, &err);

    settings_begin(&say, &err);
    struct conversion v = { .in = &in, .say = &say, .err = &err };
    snprintf(v.notes, sizeof v.notes, "%s", in.notes);
    int code = convert(&v, s);

    /* Errors begin with in.file.  For a folder that is only the file of weights, so the folder is added. */
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

#define FIELD(f) offsetof(struct convert, f)
static const struct option options[] = {
    { "output", 'o', OPTION_TEXT, "MODEL", "the model file to write; needed unless --dry-run", NULL,
      FIELD(output), 0, 0 },
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
            "written is read again and compared.  The other way is ddpm export.",
    .examples = "  ddpm convert ddpm-cifar10-32/ -o cifar10.ddpm\n"
                "  ddpm convert ema_0.9999_500000.pt --config flags.txt --set num_heads=4 --set "
                "rescale_timesteps=true -o cifar10.ddpm\n"
                "  ddpm convert model-790000.ckpt --set resolution=32 -o cifar10.ddpm\n"
                "  ddpm convert model-7.pt --set image_size=128 --dtype f16 -o flowers.ddpm\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct convert),
    .defaults = &defaults,
};
