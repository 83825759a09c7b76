/* Opens the model of a command, and tells what to do when it is missing. */
#include "cli/command_model.h"
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "cli/newest_checkpoint.h"

/* Returns whether a path names a model on a hub.  That is an address, or "OWNER/NAME" without an ending
   such as ".json", unless a folder OWNER exists. */
static bool names_hub(const char *path)
{
    char owner[256];
    const char *slash = strchr(path, '/');
    const char *dot = strrchr(path, '.');
    if (strstr(path, "://") || strstr(path, "huggingface.co/"))
        return true;
    /* A name with an ending is a file, even if it has one slash. */
    if (dot && isalpha((unsigned char)dot[1]))
        return false;
    if (!slash || slash == path || !slash[1] || strchr(slash + 1, '/') || strchr(".~", *path) ||
        slash - path > 255)
        return false;

    snprintf(owner, sizeof owner, "%.*s", (int)(slash - path), path);
    return !dd_system_exists(owner);
}

int missing_path(const char *path, ddpm_error *err)
{
    if (!names_hub(path))
        return DDPM_EMISSING;
    return dd_error(err, DDPM_EMISSING,
                    "%s: there is no such file or folder, and nothing is fetched from the net: "
                    "get it first, for instance by hf download %s --local-dir FOLDER",
                    path, strstr(path, ":") || strstr(path, ".co/") ? "OWNER/NAME" : path);
}

/* Returns whether path is the folder of a training, or the model that a training will write.  *err then
   tells so, with the newest checkpoint. */
static bool names_training(const char *path, ddpm_error *err)
{
    char folder[4096], newest[4096];
    bool is_folder = dd_system_is_folder(path);

    if (snprintf(folder, sizeof folder, "%s%s", path, is_folder ? "" : ".train") >= (int)sizeof folder ||
        !newest_checkpoint(newest, sizeof newest, folder))
        return false;

    if (is_folder)
        dd_error(err, DDPM_EDATA, "%s: is the folder of a training: take its newest checkpoint, %s", path,
                 newest);
    else
        dd_error(err, DDPM_EMISSING,
                 "%s: its training has not written it yet; the newest checkpoint can be taken instead: %s",
                 path, newest);
    return true;
}

int input_check(const char *path, ddpm_error *err)
{
    if (!path || dd_system_exists(path))
        return DDPM_OK;

    int code =
        dd_error(err, dd_file_code(errno, DDPM_EMISSING), "%s: cannot be opened: %s", path, strerror(errno));
    if (code == DDPM_EMISSING && !names_training(path, err))
        missing_path(path, err);
    return code;
}

int model_open_any(ddpm_model **m, const char *path, ddpm_error *err)
{
    *m = NULL;
    if (path && (!dd_system_exists(path) || dd_system_is_folder(path)) && names_training(path, err))
        return err->code;
    if (path && dd_system_is_folder(path))
        return dd_error(err, DDPM_EDATA,
                        "%s: is a folder, no model file of ddpm: one is made by ddpm convert of a "
                        "checkpoint, or by ddpm train of pictures",
                        path);

    int code = path ? ddpm_model_open(m, path, err)
                    : ddpm_model_open_memory(m, embedded_model, embedded_size(), err);
    return code == DDPM_EMISSING ? missing_path(path, err) : code;
}

/* Closes the model of a command that cannot take it; returns DDPM_EDATA. */
static int refuse(ddpm_model **m, const char *path, const char *why, ddpm_error *err)
{
    ddpm_model_close(*m);
    *m = NULL;
    return dd_error(err, DDPM_EDATA, "%s: %s", path ? path : "the embedded model", why);
}

int model_open(ddpm_model **m, const char *path, ddpm_error *err)
{
    int code = model_open_any(m, path, err);
    if (code || !ddpm_model_about(*m)->classifier)
        return code;
    return refuse(m, path, "is a classifier, which makes no images: it guides ddpm sample with --classifier",
                  err);
}

int model_open_classifier(ddpm_model **m, const char *path, ddpm_error *err)
{
    int code = model_open_any(m, path, err);
    if (!code && !ddpm_model_about(*m)->classifier)
        return refuse(m, path,
                      "makes images, it is no classifier: --classifier takes what ddpm convert makes of "
                      "classifier.pt of guided-diffusion",
                      err);
    if (!code && (code = model_check(*m, path, err)) != DDPM_OK) {
        ddpm_model_close(*m);
        *m = NULL;
    }
    return code;
}

int model_check(const ddpm_model *m, const char *path, ddpm_error *err)
{
    const char *name = path ? path : "the embedded model";
    int code = ddpm_model_check(m, err);

    /* Some errors begin with the name of the file already. */
    bool is_named = code && !strncmp(err->text, name, strlen(name));
    if (code && !is_named)
        dd_error_context(err, "%s", name);
    return code;
}

int model_open_whole(ddpm_model **m, const char *path, ddpm_error *err)
{
    int code = model_open(m, path, err);
    if (code || !(code = model_check(*m, path, err)))
        return code;
    ddpm_model_close(*m);
    *m = NULL;
    return code;
}

static ddpm_net_options net_options(const struct common *c, int batch)
{
    return (ddpm_net_options){ .batch = batch, .threads = (int)c->threads, .cpu = c->cpu, .conv = c->conv };
}

int model_net(ddpm_net **net, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err)
{
    const ddpm_net_options o = net_options(c, batch);
    return ddpm_net_create(net, m, &o, err);
}

int model_vjp(ddpm_vjp **v, const ddpm_model *m, const struct common *c, int batch, ddpm_error *err)
{
    const ddpm_net_options o = net_options(c, batch);
    return ddpm_vjp_create(v, m, &o, err);
}

unsigned model_save_flags(const ddpm_model *m, bool replace)
{
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list);
    unsigned flags = replace ? DDPM_SAVE_REPLACE : 0;

    for (size_t i = 0; i < n; i++)
        if (list[i].dtype == DDPM_F16)
            flags |= DDPM_SAVE_F16;
    return flags;
}

const char *const *clip_choices(void)
{
    static const char *const names[] = { "yes", "no", NULL };
    return names;
}

double clip_bound(const char *choice, const ddpm_about *a)
{
    if (!choice)
        return a->clip;
    if (strcmp(choice, "yes"))
        return 0;
    return a->clip > 0 ? a->clip : 1;
}
