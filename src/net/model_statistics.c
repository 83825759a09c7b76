/* Copies a model bit for bit and adds what was measured of its network (Bao et al. 2022, arXiv 2201.06503):
   the tensors stats.gamma and stats.mse [T], and in the metadata "stats": {"images":  N, "bits":  B}.  B is
   left out when it is not a number. */
#include "net/model_statistics.h"
#include <math.h>
#include <string.h>
#include "net/model_copy.h"

/* Returns m's metadata with these statistics; NULL: out of memory. */
static cJSON *metadata(const ddpm_model *m, int images, double bits)
{
    cJSON *root = dd_model_copy_metadata(m, "stats"),
          *stats = root ? cJSON_AddObjectToObject(root, "stats") : NULL;

    bool done = stats && cJSON_AddNumberToObject(stats, "images", images);
    if (done && (!isfinite(bits) || cJSON_AddNumberToObject(stats, "bits", bits)))
        return root;
    cJSON_Delete(root);
    return NULL;
}

int dd_model_statistics(ddpm_model **with, const ddpm_model *m, const double *gamma, const double *mse,
                        int images, double bits, ddpm_error *err)
{
    size_t size = (size_t)m->diffusion.steps * sizeof *gamma;
    int code = dd_model_copy(with, m, metadata(m, images, bits), "model with statistics", err);
    if (!code) {
        memcpy(dd_model_find(*with, "stats.gamma")->data, gamma, size);
        memcpy(dd_model_find(*with, "stats.mse")->data, mse, size);
    }
    return code;
}
