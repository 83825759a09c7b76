/* Finds the checkpoint from which a training goes on: the newest one that is whole.  It must have the
   settings and data of this training.  They are in its metadata under train.run, with the progress. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/error.h"
#include "cli/compare_settings.h"
#include "training/training.h"

/* Renames a key of earlier versions, which wrote `schedule` for `lr_schedule`. */
static int rename_former(const cJSON *run, ddpm_error *err)
{
    cJSON *settings = cJSON_GetObjectItemCaseSensitive(run, "settings");
    cJSON *former = cJSON_GetObjectItemCaseSensitive(settings, "schedule");

    if (!former || cJSON_GetObjectItemCaseSensitive(settings, "lr_schedule"))
        return DDPM_OK;
    cJSON_DetachItemViaPointer(settings, former);
    if (cJSON_AddItemToObject(settings, "lr_schedule", former))
        return DDPM_OK;
    cJSON_Delete(former);
    return dd_error(err, DDPM_ENOMEM, "out of memory for the settings of a checkpoint");
}

/* Takes the name of the data from a checkpoint.  The data may have been renamed since; the hash says whether
   they are the same. */
static int keep_name(struct training *t, const cJSON *run, ddpm_error *err)
{
    const cJSON *there = cJSON_GetObjectItemCaseSensitive(run, "data");
    const cJSON *name = cJSON_GetObjectItemCaseSensitive(there, "file");
    cJSON *here = cJSON_GetObjectItemCaseSensitive(t->run, "data");
    cJSON *copy = cJSON_IsString(name) ? cJSON_CreateString(name->valuestring) : NULL;

    if (!cJSON_IsString(name))
        return DDPM_OK;
    if (copy && cJSON_ReplaceItemInObjectCaseSensitive(here, "file", copy))
        return DDPM_OK;
    cJSON_Delete(copy);
    return dd_error_memory(err, "the settings of a checkpoint");
}

/* Checks that a checkpoint has the settings and data of this training (else DDPM_EUSAGE), and takes its
   progress. */
static int check_checkpoint(struct training *t, const ddpm_model *m, const char *path, ddpm_error *err)
{
    char advice[300];

    snprintf(advice, sizeof advice,
             "give the same options and data, or begin a training of another name "
             "with its network and weights: --init %.150s",
             path);

    cJSON *root = cJSON_Parse(ddpm_model_about(m)->json);
    const cJSON *train = cJSON_GetObjectItemCaseSensitive(root, "train");
    const cJSON *run = cJSON_GetObjectItemCaseSensitive(train, "run");
    const cJSON *best = cJSON_GetObjectItemCaseSensitive(run, "best");

    /* Compares the network and the chain first, then the settings in t->run. */
    static const char *const parts[] = { "net", "diffusion" };
    int code = run ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s is no training checkpoint", path);
    for (int i = 0; i < 2 && !code; i++)
        code = compare_settings(cJSON_GetObjectItemCaseSensitive(root, parts[i]),
                                cJSON_GetObjectItemCaseSensitive(t->plan.root, parts[i]), parts[i], path,
                                advice, err);
    if (!code)
        code = rename_former(run, err);
    if (!code)
        code = keep_name(t, run, err);
    if (!code)
        code = compare_settings(run, t->run, "", path, advice, err);

    double loss = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(best, "loss"));
    double since = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(best, "since"));
    if (!code && isfinite(loss)) {
        t->best = loss;
        t->since = since > 0 && since < 0x1p53 ? (int64_t)since : 0;
    }
    cJSON_Delete(root);
    return code;
}

/* Opens the checkpoint of a step.  DDPM_EDATA: the file is no whole checkpoint of this step. */
static int open_checkpoint(ddpm_model **m, const char *path, int64_t step, ddpm_error *err)
{
    int code = ddpm_model_open(m, path, err);
    if (code)
        return code == DDPM_EMISSING ? DDPM_EDATA : code; /* a link may lead nowhere */

    cJSON *root = cJSON_Parse(ddpm_model_about(*m)->json);
    const cJSON *train = cJSON_GetObjectItemCaseSensitive(root, "train");
    const cJSON *trainer = cJSON_GetObjectItemCaseSensitive(train, "trainer");

    double held = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(trainer, "step"));
    cJSON_Delete(root);
    if (held == (double)step)
        return DDPM_OK;

    /* A whole checkpoint of another step may have been given this name; it is not used. */
    ddpm_model_close(*m);
    *m = NULL;
    if (isnan(held))
        return dd_error(err, DDPM_EDATA, "%s: is no training checkpoint", path);
    return dd_error(err, DDPM_EDATA, "%s: is the checkpoint of step %.0f under another name", path, held);
}

/* Opens the newest checkpoint that is whole.  A damaged one is named and passed over; its steps are made
   again. */
static int open_newest(struct training *t, ddpm_model **m, ddpm_error *err)
{
    int code = DDPM_OK;

    *m = NULL;
    t->saved = training_folder_newest(&t->folder, INT64_MAX);
    while (t->saved >= 0) {
        code = open_checkpoint(m, training_folder_checkpoint(&t->folder, t->saved), t->saved, err);
        if (code != DDPM_EDATA)
            return code;
        notice(t->command, "%s; an older checkpoint is taken if there is one", err->text);
        t->saved = training_folder_newest(&t->folder, t->saved);
    }
    if (code == DDPM_EDATA)
        dd_error(err, DDPM_EDATA, "%s holds no checkpoint that is whole: begin a training of another name",
                 t->folder.path);
    return code;
}

int training_resume(struct training *t, ddpm_error *err)
{
    ddpm_model *m;

    if (!t->s->resume && !t->s->force && training_folder_newest(&t->folder, INT64_MAX) >= 0)
        return dd_error(err, DDPM_ECREATE,
                        "%s holds the checkpoints of a training: --resume goes on with "
                        "it, another name begins anew",
                        t->folder.path);

    int code = t->s->resume ? open_newest(t, &m, err) : DDPM_OK;
    if (code || t->saved < 0)
        return code;

    code = check_checkpoint(t, m, training_folder_checkpoint(&t->folder, t->saved), err);
    if (code) {
        ddpm_model_close(m);
        return code;
    }

    /* The trainer begins with the model of the checkpoint. */
    ddpm_model_close(t->model);
    t->model = m;
    t->about = t->data.about = t->used.about = t->held.about = ddpm_model_about(m);
    return DDPM_OK;
}
