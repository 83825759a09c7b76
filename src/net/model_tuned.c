/* Tuned solvers in a model file.  In the metadata,

     "tuned": [{"steps": 6, "teacher": "dpmpp, 60 steps", "images": 256,
                "error": 0.03, "untuned": 0.07, "equals": 15}, ...]

   in order of steps, and for each the tensor tuned.K, F64 [6, K], whose rows ddpm.h lists.  An altered
   table must not make a sampler fail later, so its numbers are checked when the model is opened. */
#include "net/model_tuned.h"
#include <math.h>
#include <string.h>
#include "net/model_copy.h"

/* Learned corrections are much smaller than this; a larger one would only blow up images. */
static const double most_correction = 4;

static int read_one(ddpm_tuned *s, const cJSON *solver, int i, int after, ddpm_error *err)
{
    struct dd_json j;
    char path[24];
    snprintf(path, sizeof path, "tuned[%d]", i);

    dd_json_begin(&j, solver, path, err);
    s->K = dd_json_int(&j, "steps", 1, DD_MODEL_TUNED_MOST);
    s->teacher = dd_json_text(&j, "teacher");
    s->images = dd_json_int(&j, "images", 1, 2147483647);
    s->error = dd_json_number(&j, "error", 0, 1e6);
    s->untuned = dd_json_number(&j, "untuned", 0, 1e6);
    s->equals = dd_json_int(&j, "equals", 0, 2147483647);
    int code = dd_json_end(&j);

    if (!code && s->K <= after)
        code = dd_error(err, DDPM_EDATA, "%s.steps: %d follows %d, but solvers come in order of their steps",
                        path, s->K, after);
    return code;
}

int dd_model_tuned_read(ddpm_model *m, const cJSON *list, ddpm_error *err)
{
    int n = cJSON_GetArraySize(list), i = 0, code = DDPM_OK;
    const cJSON *solver;
    m->tuned = dd_arena(&m->arena, (size_t)n, sizeof *m->tuned);
    if (!m->tuned)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the list of tuned solvers");

    cJSON_ArrayForEach(solver, list) {
        if (!code)
            code = read_one(&m->tuned[i], solver, i, i ? m->tuned[i - 1].K : 0, err);
        i++;
    }
    m->tuned_count = n;
    return code;
}

int dd_model_tuned_list(ddpm_model *m, ddpm_error *err)
{
    for (int i = 0; i < m->tuned_count; i++) {
        ddpm_tensor *t = &m->tensor[m->tensors++];
        *t = (ddpm_tensor){ .name = dd_arena_text(&m->arena, "tuned.%d", m->tuned[i].K),
                            .dtype = DDPM_F64,
                            .rank = 2,
                            .dim = { DDPM_TUNED_ROWS, m->tuned[i].K } };
        if (!t->name)
            return dd_error(err, DDPM_ENOMEM, "out of memory for the list of tensors");
    }
    return DDPM_OK;
}

static const ddpm_tensor *table_of(const ddpm_model *m, int K)
{
    char name[24];
    snprintf(name, sizeof name, "tuned.%d", K);
    return dd_model_find(m, name);
}

void dd_model_tuned_about(ddpm_model *m)
{
    for (int i = 0; i < m->tuned_count; i++)
        m->tuned[i].table = table_of(m, m->tuned[i].K)->data;
    m->about.tuned = m->tuned;
    m->about.tuned_count = m->tuned_count;
}

static int validate_one(const ddpm_tuned *s, int T, const char *name, ddpm_error *err)
{
    const double *t = s->table, *fed = t + DDPM_TUNED_FED * s->K;

    for (int i = 0; i < s->K; i++)
        if (!(t[i] >= 0 && t[i] <= T - 1) || (i && t[i] - t[i - 1] < 0x1p-16))
            return dd_error(err, DDPM_EDATA,
                            "%s: tuned.%d: step %d is t = %.9g; steps rise by 2^-16 or more within 0 to %d",
                            name, s->K, i, t[i], T - 1);
    for (int i = 0; i < s->K; i++)
        if (!(fed[i] >= 0 && fed[i] <= T - 1))
            return dd_error(err, DDPM_EDATA,
                            "%s: tuned.%d: the network is told %.9g at step %d, expected 0 to %d", name, s->K,
                            fed[i], i, T - 1);
    for (int i = DDPM_TUNED_OF_X * s->K; i < DDPM_TUNED_ROWS * s->K; i++)
        if (!(fabs(t[i]) <= most_correction))
            return dd_error(err, DDPM_EDATA,
                            "%s: tuned.%d: a correction is %.9g, expected at most %g in size", name, s->K,
                            t[i], most_correction);
    return DDPM_OK;
}

int dd_model_tuned_validate(const ddpm_model *m, const char *name, ddpm_error *err)
{
    int code = DDPM_OK;
    for (int i = 0; i < m->tuned_count && !code; i++)
        code = validate_one(&m->tuned[i], m->diffusion.steps, name, err);
    return code;
}

/* ---- a model with one more ---- */

static cJSON *entry(const ddpm_tuned *s)
{
    cJSON *o = cJSON_CreateObject();
    bool done =
        o && cJSON_AddNumberToObject(o, "steps", s->K) && cJSON_AddStringToObject(o, "teacher", s->teacher) &&
        cJSON_AddNumberToObject(o, "images", s->images) && cJSON_AddNumberToObject(o, "error", s->error) &&
        cJSON_AddNumberToObject(o, "untuned", s->untuned) && cJSON_AddNumberToObject(o, "equals", s->equals);
    if (done)
        return o;
    cJSON_Delete(o);
    return NULL;
}

/* Returns m's metadata with one more solver, in order of steps; NULL: out of memory. */
static cJSON *metadata(const ddpm_model *m, const ddpm_tuned *solver)
{
    cJSON *root = dd_model_copy_metadata(m, "tuned"),
          *list = root ? cJSON_AddArrayToObject(root, "tuned") : NULL;
    bool done = list != NULL, added = false;
    for (int i = 0; i <= m->tuned_count && done; i++) {
        const ddpm_tuned *old = i < m->tuned_count ? &m->tuned[i] : NULL;
        if (!added && (!old || old->K >= solver->K)) {
            done = cJSON_AddItemToArray(list, entry(solver));
            added = true;
        }
        if (done && old && old->K != solver->K)
            done = cJSON_AddItemToArray(list, entry(old));
    }
    if (done)
        return root;
    cJSON_Delete(root);
    return NULL;
}

int dd_model_tuned_add(ddpm_model **with, const ddpm_model *m, const ddpm_tuned *solver, ddpm_error *err)
{
    *with = NULL;
    if (solver->K < 1 || solver->K > DD_MODEL_TUNED_MOST || !solver->table || !solver->teacher)
        return dd_error(err, DDPM_EUSAGE,
                        "a tuned solver of %d steps is given; one has 1 to %d, a table and a teacher",
                        solver->K, DD_MODEL_TUNED_MOST);
    int code = validate_one(solver, m->diffusion.steps, "the solver", err);
    if (!code)
        code = dd_model_copy(with, m, metadata(m, solver), "model with a tuned solver", err);
    if (!code)
        memcpy(table_of(*with, solver->K)->data, solver->table,
               (size_t)DDPM_TUNED_ROWS * (size_t)solver->K * sizeof *solver->table);
    return code;
}
