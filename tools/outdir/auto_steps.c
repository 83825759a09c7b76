/* The seconds of a step are measured by a trial with one image and then, if that took less than 1/20 of the
   time left, with a whole batch. */
#include "outdir/auto_steps.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/json.h"
#include "base/system.h"
#include "outdir/shard_manifests.h"

/* Reads the steps that a folder was begun with; *steps stays NULL if there is no manifest. */
static int read_folder(char **steps, const char *folder, ddpm_error *err)
{
    struct shard_manifests p = { 0 };
    cJSON *root = NULL;
    int code = dd_system_exists(folder) ? shard_manifests_read(&p, folder, NULL, NULL, err) : DDPM_OK;

    /* All manifests of a folder have the same settings. */
    const struct manifest *l = !code && p.count ? &p.manifest[0] : NULL;
    if (l && l->header)
        code = dd_json_parse(&root, l->header, strlen(l->header), l->path, err);

    const cJSON *list = cJSON_GetObjectItemCaseSensitive(root, "steps");
    if (!code && cJSON_IsString(list) && !(*steps = strdup(list->valuestring)))
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a list of steps");

    cJSON_Delete(root);
    shard_manifests_free(&p);
    return code;
}

/* Measures the seconds of a step per image, and estimates those of saving a batch. */
static int measure(double *step, double *save, const struct auto_steps *a, ddpm_error *err)
{
    struct recipe r = *a->recipe;
    struct generator s;
    struct time_budget p = *a->time_budget;
    double left = time_budget_left(&p), one, all;

    /* The shortest chain will do, as all steps take the same time. */
    r.steps = ddpm_model_about(a->model)->steps > 1 ? "2" : "1";
    r.keep_steps = 1;
    const struct generator_options o = {
        .model = a->model,
        .classifier = a->classifier,
        .command = a->command,
        .common = a->common,
        .batch = a->batch,
    };
    int code = generator_open(&s, &r, &o, err);
    if (code)
        return code;

    code = generator_time_budget(&s, &p, err);
    if (!code)
        code = generator_try(&s, 1, &one, err);

    /* A batch may take less per image than a single one, so it is tried too if there is time. */
    if (!code && one * a->batch < left / 20) {
        code = generator_try(&s, a->batch, &all, err);
        one = all / a->batch;
    }

    *step = one;
    *save = p.save;
    generator_close(&s);
    return code;
}

/* Chooses the most steps for which there is time. */
static int choose(char **steps, const struct auto_steps *a, ddpm_error *err)
{
    double step, save;
    int T = ddpm_model_about(a->model)->steps, batches = (a->n + a->batch - 1) / a->batch;

    int code = measure(&step, &save, a, err);
    if (code)
        return code;

    /* A tenth of the time is left for everything else. */
    double left = time_budget_left(a->time_budget), saving = save * batches;
    double K = fmin(floor((0.9 * left - saving) / (a->n * step)), T);
    if (!(K >= 1))
        return dd_error(err, DDPM_EUSAGE,
                        "--steps auto: %d images take %.3g s for a single step, and there are %.3g s: allow "
                        "more time, or ask for fewer",
                        a->n, a->n * step + saving, 0.9 * left);

    *steps = malloc(16);
    if (!*steps)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a number");

    snprintf(*steps, 16, "%.0f", K);
    remark(a->command, a->common,
           "--steps auto: %s steps, at %.3g ms a step and image for %d images in %.3g s", *steps, 1e3 * step,
           a->n, left);
    return DDPM_OK;
}

/* Returns how many steps a list has: 3 for "0,20,41", 1 for "999,". */
static int count_steps(const char *list)
{
    int K = 0;
    for (const char *p = list; *p; p++)
        K += *p == ',' || !p[1];
    return K;
}

int auto_steps(char **steps, const struct auto_steps *a, ddpm_error *err)
{
    int code = DDPM_OK;
    *steps = NULL;
    if (a->folder && !a->force)
        code = read_folder(steps, a->folder, err);
    if (code || !*steps)
        return code ? code : choose(steps, a, err);

    remark(a->command, a->common, "--steps auto: the %d steps that %s was begun with", count_steps(*steps),
           a->folder);
    return DDPM_OK;
}
