/* A copy of a model, bit for bit, that also has stats.gamma and stats.mse [T], and "stats": {"images": N} in its metadata. */
#include "net/model_statistics.h"
#include <string.h>

/* The metadata with these statistics, as text to be freed by cJSON_free; NULL when out of memory.  The id is that of other tensors. */
static char *metadata_text(const ddpm_model *m, int images)
{
    cJSON *root = cJSON_Duplicate(m->root, 1), *stats;
    char *text = NULL;
    if (root) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "id");
        cJSON_DeleteItemFromObjectCaseSensitive(root, "stats");
        stats = cJSON_AddObjectToObject(root, "stats");
        if (stats && cJSON_AddNumberToObject(stats, "images", images))
            text = cJSON_PrintUnformatted(root);
    }
    cJSON_Delete(root);
    return text;
}

static int fill(ddpm_model *with, const ddpm_model *m, const double *gamma, const double *mse, ddpm_error *err)
{
    for (size_t i = 0; i < with->tensors; i++) {
        const ddpm_tensor *from = dd_model_find(m, with->tensor[i].name);
        with->tensor[i].dtype = from ? from->dtype : DDPM_F64;
    }
    int code = dd_model_allocate(with, err);
    for (size_t i = 0; !code && i < with->tensors; i++) {
        ddpm_tensor *t = &with->tensor[i];
        const void *data = !strcmp(t->name, "stats.gamma") ? gamma : !strcmp(t->name, "stats.mse") ? mse : dd_model_find(m, t->name)->data;
        memcpy(t->data, data, dd_model_bytes(t, NULL));
    }
    return code;
}

int dd_model_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma, const double *mse, int images, ddpm_error *err)
{
    char *json = metadata_text(m, images);
    *with = NULL;
    if (!json)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the metadata of a model");
    int code = dd_model_describe(with, json, strlen(json), "model with statistics", false, err);
    cJSON_free(json);
    if (!code)
        code = fill(*with, m, gamma, mse, err);
    if (code) {
        dd_model_free(*with);
        *with = NULL;
    }
    return code;
}
