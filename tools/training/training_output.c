/* Finds whether the model file of a training may be written, and whether it is there already.

   A MODEL that is there is replaced if the user allows it, or if it comes from the training that goes on: its
   network, diffusion and data are those of the checkpoint.  Nothing is left to do if the training has ended,
   MODEL's weights are those that would be written, and it has statistics (if images are held out). */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "training/training.h"

static bool is_there(const struct training *t)
{
    return dd_system_exists(t->s->output);
}

/* Checks that the model file can be written, by beginning it. */
static int try_output(const char *path, ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, path, 1, err);
    if (!code)
        dd_output_abandon(&o);
    return code;
}

/* A training that has ended writes nothing.  So with --resume it is no error yet if MODEL cannot be written;
   training_output_find decides. */
int training_output_check(struct training *t, ddpm_error *err)
{
    const struct train_settings *s = t->s;
    int code = try_output(s->output, err);
    if (code)
        return s->resume && is_there(t) ? DDPM_OK : code;

    t->replaces = s->force;
    if (s->force || s->resume || !is_there(t))
        return DDPM_OK;
    return dd_error(err, DDPM_ECREATE,
                    "%s: exists already: choose another name, or go on with the training "
                    "that made it (--resume)",
                    s->output);
}

static bool same_part(const cJSON *a, const cJSON *b, const char *key)
{
    const cJSON *x = cJSON_GetObjectItemCaseSensitive(a, key), *y = cJSON_GetObjectItemCaseSensitive(b, key);
    return x && y && cJSON_Compare(x, y, 1);
}

/* Returns whether m has the network, diffusion and data of the checkpoint. */
static bool same_training(const struct training *t, const ddpm_model *m)
{
    cJSON *a = cJSON_Parse(ddpm_model_about(m)->json), *b = cJSON_Parse(t->about->json);
    const cJSON *of_a = cJSON_GetObjectItemCaseSensitive(a, "source");
    const cJSON *of_b = cJSON_GetObjectItemCaseSensitive(b, "source");

    /* "source" also names the file, which may have moved. */
    bool same = same_part(a, b, "net") && same_part(a, b, "diffusion") && same_part(of_a, of_b, "sha256");

    cJSON_Delete(a);
    cJSON_Delete(b);
    return same;
}

static size_t bytes_of(const ddpm_tensor *a)
{
    static const size_t size[] = { [DDPM_F32] = 4, [DDPM_F16] = 2, [DDPM_F64] = 8 };
    size_t bytes = size[a->dtype];
    for (int r = 0; r < a->rank; r++)
        bytes *= (size_t)a->dim[r];
    return bytes;
}

/* Returns whether every tensor of m, except its statistics, is in the other model, bit for bit.  Both models
   list their tensors in order of names. */
static bool same_weights(const ddpm_model *m, const ddpm_model *other)
{
    const ddpm_tensor *a, *b;
    size_t n = ddpm_model_tensors(m, &a), all = ddpm_model_tensors(other, &b), k = 0;

    for (size_t i = 0; i < n; i++) {
        if (!strncmp(a[i].name, "stats.", 6))
            continue;
        while (k < all && strcmp(b[k].name, a[i].name) < 0)
            k++;

        size_t bytes = bytes_of(&a[i]);
        if (k == all || strcmp(b[k].name, a[i].name) || b[k].dtype != a[i].dtype ||
            bytes_of(&b[k]) != bytes || memcmp(a[i].data, b[k].data, bytes))
            return false;
    }
    return true;
}

/* ddpm_model_check compares the tensors with the model's id; the metadata are compared with the
   checkpoint. */
int training_output_best(struct training *t, ddpm_model **m, ddpm_error *err)
{
    const char *path = training_folder_path(&t->folder, "best.ddpm");
    int code = ddpm_model_open(m, path, err);
    if (code)
        return code;

    code = ddpm_model_check(*m, err);
    if (code)
        dd_error_context(err, "%s", path);
    else if (!same_training(t, *m))
        code = dd_error(err, DDPM_EDATA, "%s: its network, diffusion or data are not those of the training",
                        path);
    if (code) {
        ddpm_model_close(*m);
        *m = NULL;
    }
    return code;
}

static bool has_ended(const struct training *t)
{
    return (t->s->steps && t->saved >= t->s->steps) || (t->s->converged && t->since >= t->s->converged);
}

/* Returns whether m is the model that the end of this training would write. */
static bool is_result(struct training *t, const ddpm_model *m)
{
    bool of_best = t->s->converged && isfinite(t->best), same;
    ddpm_model *best = NULL;

    if (t->held.count && !ddpm_model_about(m)->gamma)
        return false;
    if (of_best && training_output_best(t, &best, NULL))
        return false;
    same = same_weights(m, of_best ? best : t->model);
    ddpm_model_close(best);
    return same;
}

int training_output_find(struct training *t, ddpm_error *err)
{
    const char *path = t->s->output;
    ddpm_error why;
    ddpm_model *m;

    if (!t->s->resume || !is_there(t))
        return DDPM_OK;
    if (t->saved < 0)
        return dd_error(err, DDPM_ECREATE,
                        "%s: exists already, and %s holds no checkpoint to go on from: "
                        "choose another name (--init %s begins with its weights)",
                        path, t->folder.path, path);

    int code = ddpm_model_open(&m, path, &why);
    if (code)
        return dd_error(err, code == DDPM_EDATA ? DDPM_ECREATE : code,
                        "%.300s; it is no model of this "
                        "training: choose another name",
                        why.text);
    if (same_training(t, m)) {
        t->replaces = true;
        t->done = has_ended(t) && is_result(t, m);
    } else {
        code = dd_error(err, DDPM_ECREATE,
                        "%s: exists already, and its network or data are not those of %s: "
                        "choose another name (--init %s begins with its weights)",
                        path, t->folder.path, path);
    }
    ddpm_model_close(m);
    return code || t->done ? code : try_output(path, err);
}

double training_output_bits(const struct training *t)
{
    ddpm_model *m;

    if (ddpm_model_open(&m, t->s->output, NULL))
        return NAN;
    cJSON *root = cJSON_Parse(ddpm_model_about(m)->json);
    const cJSON *stats = cJSON_GetObjectItemCaseSensitive(root, "stats");
    double bits = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(stats, "bits"));
    cJSON_Delete(root);
    ddpm_model_close(m);
    return bits;
}
