/* ddpm export: turns a model file into a folder that diffusers loads, or into a model file with smaller
   weights. */
#include <cjson/cJSON.h>
#include <stdbool.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/ending.h"
#include "cli/json_line.h"
#include "cli/options.h"
#include "family/export_diffusers.h"
#include "family/written_model.h"

struct settings {
    struct common common;
    const char *model, *output, *to, *dtype;
    bool force;
};
static const struct settings defaults = { .to = "diffusers" };

/* Checks everything that can be checked before the model is read. */
static int check(const struct settings *s, bool folder, ddpm_error *err)
{
    int code = s->model ? input_check(s->model, err) : DDPM_OK;
    if (code)
        return code;
    if (!s->output)
        return dd_error(err, DDPM_EUSAGE, "where to? add -o %s", folder ? "FOLDER" : "MODEL.ddpm");
    if (folder && s->dtype && strcmp(s->dtype, "f32"))
        return dd_error(err, DDPM_EUSAGE, "--to diffusers writes float32: leave --dtype %s out", s->dtype);
    return folder ? DDPM_OK : ending_check(s->output, err);
}

/* Tells what was written.  id: the id of the exported model; for a model file, that of the new file. */
static void tell(const struct settings *s, const char *id)
{
    remark(&command_export, &s->common, "written to %s for %s", s->output, s->to);
    if (!s->common.json)
        return;

    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "output", s->output);
    cJSON_AddStringToObject(o, "to", s->to);
    cJSON_AddStringToObject(o, "id", id);
    json_line(o);
}

static int run(void *settings, char **argument, int arguments)
{
    const struct settings *s = settings;
    bool folder = !strcmp(s->to, "diffusers"), half = s->dtype && !strcmp(s->dtype, "f16");
    ddpm_model *m = NULL;
    ddpm_error err;
    char id[65];
    (void)argument;
    (void)arguments;

    int code = check(s, folder, &err);
    if (!code)
        code = model_open_whole(&m, s->model, &err);
    if (!code)
        code = folder ? export_diffusers(m, s->output, s->force, &err)
                      : write_model(id, m, s->output, half, s->force, &err);
    if (!code)
        tell(s, folder ? ddpm_model_about(m)->id : id);

    if (!code && folder && ddpm_model_about(m)->tuned_count)
        remark(&command_export, &s->common,
               "the tuned solvers are left out: diffusers has no place for them");
    ddpm_model_close(m);
    if (code)
        return complain(&command_export, &err);
    return 0;
}

static const char *const *to_names(void)
{
    static const char *const names[] = { "diffusers", "ddpm", NULL };
    return names;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "model", 'm', OPTION_TEXT, "MODEL", "the model file (default: the embedded model)", NULL, FIELD(model),
      0, 0 },
    { "output", 'o', OPTION_TEXT, "OUT", "the folder, or the model file, to write; needed", NULL,
      FIELD(output), 0, 0 },
    { "to", 0, OPTION_CHOICE, "PROGRAM",
      "diffusers: a folder that it loads; ddpm: a model file again, of --dtype (default: diffusers)",
      to_names, FIELD(to), 0, 0 },
    { "dtype", 0, OPTION_CHOICE, "TYPE",
      "of a model file's weights with two and more dimensions (default: f32)", dtype_names, FIELD(dtype), 0,
      0 },
    { "force", 0, OPTION_FLAG, NULL, "replace existing files", NULL, FIELD(force), 0, 0 },
};
const struct command command_export = {
    .name = "export",
    .arguments = "",
    .least = 0,
    .most = 0,
    .run = run,
    .does =
        "Writes a model file for another program: a folder for Hugging Face diffusers, or a model file of\n"
        "smaller weights.  What diffusers cannot express is refused, and nothing is written then.",
    .examples = "  ddpm export -m model.ddpm -o folder\n"
                "  ddpm export -m model.ddpm -o small.ddpm --to ddpm --dtype f16\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
