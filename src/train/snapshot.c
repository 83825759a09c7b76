/* Copies between a model and the vectors of a trainer.  In a model a parameter NAME is the average.  A
   training checkpoint also holds

     raw.NAME                   the weights themselves,
     adam.m.NAME, adam.v.NAME   the optimiser's moments,
     average.low.NAME           the second part of the average,
     "train": {"trainer": {"step": steps done, "images": images used, "average": the parts of the average},
               "run": the caller's own object}.

   Apart from this the next step depends only on the options and the images. */
#include "train/snapshot.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "net/model_copy.h"

/* Copies the data of a tensor that training does not change; NULL: out of memory. */
static void *kept(ddpm_model *plain, const ddpm_tensor *from)
{
    size_t size = dd_model_bytes(from, NULL);
    void *data = dd_arena(&plain->arena, size, 1);
    return data ? memcpy(data, from->data, size) : NULL;
}

int dd_snapshot_begin(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err)
{
    cJSON *root = dd_model_copy_metadata(m, "stats");
    if (root) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "train");
        cJSON_DeleteItemFromObjectCaseSensitive(root, "tuned"); /* solvers were learned for the old weights */
    }
    int code = dd_model_copy_described(&t->plain, root, "model to train", err);
    if (code)
        return code;

    /* The average begins as m's parameters.  dd_snapshot_resume then sets the weights. */
    memcpy(t->average, dd_gradient_weights(t->gradient), t->count * sizeof *t->average);
    memset(t->low, 0, t->count * sizeof *t->low);

    for (size_t i = 0; i < t->plain->tensors; i++) {
        ddpm_tensor *a = &t->plain->tensor[i];
        size_t offset =
            t->plain->param[i] < 0 ? SIZE_MAX : dd_gradient_offset(t->gradient, t->plain->param[i]);
        a->data = offset < SIZE_MAX ? t->average + offset : kept(t->plain, dd_model_find(m, a->name));
        if (!a->data)
            return dd_error(err, DDPM_ENOMEM, "out of memory for tensor %s", a->name);
    }
    dd_model_about(t->plain);
    return DDPM_OK;
}

static const ddpm_tensor *find_kept(const ddpm_model *m, int which, const char *name)
{
    char text[300];
    snprintf(text, sizeof text, "%s.%s", dd_model_kept[which], name);
    return dd_model_find(m, text);
}

/* Checks the second moments of one parameter. */
static int check_second(const float *v, size_t n, const char *name, ddpm_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(v[i] >= 0))
            return dd_error(err, DDPM_EDATA,
                            "tensor %s.%s: element %zu is %g, but a mean of squares is at least 0: the "
                            "checkpoint is damaged",
                            dd_model_kept[DD_MODEL_ADAM_V], name, i, (double)v[i]);
    return DDPM_OK;
}

int dd_snapshot_resume(struct ddpm_trainer *t, const ddpm_model *m, ddpm_error *err)
{
    float *to[DD_MODEL_KEPT] = { dd_gradient_weights(t->gradient), t->m, t->v, t->low };
    int code = DDPM_OK;
    for (int p = 0; p < m->program.params && !code; p++) {
        const struct dd_param *param = &m->program.param[p];
        size_t offset = dd_gradient_offset(t->gradient, p), n = (size_t)param->count;
        if (offset == SIZE_MAX)
            continue;

        /* A checkpoint whose average has one part leaves t->low at zero. */
        for (int k = 0; k < (m->low ? DD_MODEL_KEPT : DD_MODEL_LOW); k++)
            memcpy(to[k] + offset, find_kept(m, k, param->name)->data, n * sizeof(float));
        code = check_second(t->v + offset, n, param->name, err);
    }

    t->done = m->steps;
    t->images = m->images;
    return code;
}

/* Returns the object "train", which takes over `run`; NULL: out of memory. */
static cJSON *train_object(const struct ddpm_trainer *t, cJSON *run)
{
    cJSON *train = cJSON_CreateObject(), *trainer = train ? cJSON_AddObjectToObject(train, "trainer") : NULL;
    bool good = trainer && cJSON_AddNumberToObject(trainer, "step", (double)t->done) &&
                cJSON_AddNumberToObject(trainer, "images", (double)t->images) &&
                cJSON_AddStringToObject(trainer, "average", dd_model_average) &&
                cJSON_AddItemToObject(train, "run", run);
    if (good)
        return train;
    cJSON_Delete(train);
    cJSON_Delete(run);
    return NULL;
}

/* Makes the metadata for a training checkpoint. */
static int metadata(const struct ddpm_trainer *t, cJSON **root, const char *run, ddpm_error *err)
{
    cJSON *own = NULL, *train;
    int code = dd_json_parse(&own, run ? run : "{}", run ? strlen(run) : 2, "run", err);
    if (code)
        return code;
    if (!cJSON_IsObject(own)) {
        cJSON_Delete(own);
        return dd_error(err, DDPM_EUSAGE, "run: a JSON object is expected");
    }

    train = train_object(t, own);
    *root = train ? dd_model_copy_metadata(t->plain, "train") : NULL;
    if (*root && cJSON_AddItemToObject(*root, "train", train))
        return DDPM_OK;
    cJSON_Delete(*root);
    cJSON_Delete(train);
    *root = NULL;
    return dd_error(err, DDPM_ENOMEM, "out of memory for the metadata of a training checkpoint");
}

/* Fills the tensors that a training checkpoint holds besides the model. */
static void fill_kept(const struct ddpm_trainer *t, ddpm_model *m)
{
    const float *from[DD_MODEL_KEPT] = { dd_gradient_weights(t->gradient), t->m, t->v, t->low };
    for (int p = 0; p < m->program.params; p++) {
        size_t offset = dd_gradient_offset(t->gradient, p);
        for (int k = 0; k < DD_MODEL_KEPT && offset < SIZE_MAX; k++)
            memcpy(find_kept(m, k, m->program.param[p].name)->data, from[k] + offset,
                   (size_t)m->program.param[p].count * sizeof(float));
    }
}

int dd_snapshot_model(const struct ddpm_trainer *t, ddpm_model **m, bool whole, const char *run,
                      ddpm_error *err)
{
    cJSON *root = NULL;
    *m = NULL;
    int code = whole ? metadata(t, &root, run, err) : DDPM_OK;
    if (!code && !whole)
        root = dd_model_copy_metadata(t->plain, "train");
    if (!code)
        code = dd_model_copy(m, t->plain, root, whole ? "training checkpoint" : "trained model", err);
    if (!code && whole)
        fill_kept(t, *m);
    return code;
}
