/* Makes models from models.  The metadata are changed as JSON and read again as strictly as a file's.
   Tensors that both models have are copied bit for bit. */
#include "net/model_copy.h"
#include <string.h>

cJSON *dd_model_copy_metadata(const ddpm_model *m, const char *without)
{
    cJSON *root = cJSON_Duplicate(m->root, 1);
    if (root) {
        cJSON_DeleteItemFromObjectCaseSensitive(root, "id");
        cJSON_DeleteItemFromObjectCaseSensitive(root, without);
    }
    return root;
}

int dd_model_copy_described(ddpm_model **copy, cJSON *metadata, const char *name, ddpm_error *err)
{
    char *json = metadata ? cJSON_PrintUnformatted(metadata) : NULL;
    cJSON_Delete(metadata);

    *copy = NULL;
    if (!json)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the metadata of a model");
    int code = dd_model_describe(copy, json, strlen(json), name, false, err);
    cJSON_free(json);
    return code;
}

/* Gives the tensors data: m's, as m stores it, or zeros. */
static int fill(ddpm_model *copy, const ddpm_model *m, ddpm_error *err)
{
    for (size_t i = 0; i < copy->tensors; i++) {
        const ddpm_tensor *from = dd_model_find(m, copy->tensor[i].name);
        copy->tensor[i].dtype = from ? from->dtype : copy->tensor[i].dtype;
    }

    int code = dd_model_allocate(copy, err);
    for (size_t i = 0; !code && i < copy->tensors; i++) {
        ddpm_tensor *t = &copy->tensor[i];
        const ddpm_tensor *from = dd_model_find(m, t->name);
        if (from)
            memcpy(t->data, from->data, dd_model_bytes(t, NULL));
    }

    if (!code)
        dd_model_about(copy);
    return code ? code : dd_model_unchanged(m, err);
}

int dd_model_copy(ddpm_model **copy, const ddpm_model *m, cJSON *metadata, const char *name, ddpm_error *err)
{
    int code = dd_model_copy_described(copy, metadata, name, err);
    if (!code)
        code = fill(*copy, m, err);

    if (code) {
        dd_model_free(*copy);
        *copy = NULL;
    }
    return code;
}
