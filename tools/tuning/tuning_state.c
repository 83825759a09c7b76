/* The file is a safetensors container with its hash:

     teacher F32 [taught, d]     the teacher's images made so far
     tuner   F64 [1, n]          the state of the tuner, while a solver is under way
     best    F64 [6, K]          the best table of that solver so far
     done.I  F64 [6, K]          the tables of the finished solvers, I from 00

   Its metadata hold the settings, which must be those of the run that goes on, and the distances of the
   solvers. */
#include "tuning/tuning_state.h"
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "cli/compare_settings.h"

static const char key[] = "ddpm.tune", key_progress[] = "ddpm.tune.progress";

/* ---- settings and figures as JSON ---- */

/* Returns the settings that a run must share to go on from the file; NULL: out of memory. */
static cJSON *settings_of(const struct tuning *t)
{
    char seed[24], model[IMAGE_SIZE_MODEL], steps[TUNING_SOLVERS_MOST * 6] = "";
    size_t used = 0;
    cJSON *o = cJSON_CreateObject();

    for (int i = 0; i < t->count; i++)
        used += (size_t)snprintf(steps + used, sizeof steps - used, "%s%d", i ? "," : "", t->K[i]);

    /* The seed is text, as a JSON number does not hold 64 bits. */
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->seed);
    bool done = o && cJSON_AddStringToObject(o, "model", image_size_model(model, t->about->id, t->size)) &&
                cJSON_AddStringToObject(o, "engine class", ddpm_net_describe(t->net)->engine_class) &&
                cJSON_AddStringToObject(o, "seed", seed) && cJSON_AddStringToObject(o, "steps", steps) &&
                cJSON_AddNumberToObject(o, "images", t->teach) &&
                cJSON_AddNumberToObject(o, "iterations", (double)t->iterations);
    if (done)
        return o;
    cJSON_Delete(o);
    return NULL;
}

static bool add_solver(cJSON *list, const ddpm_tuned *s)
{
    cJSON *o = cJSON_CreateObject();
    bool done = o && cJSON_AddNumberToObject(o, "error", s->error) &&
                cJSON_AddNumberToObject(o, "untuned", s->untuned) &&
                cJSON_AddNumberToObject(o, "equals", s->equals) && cJSON_AddItemToArray(list, o);
    if (!done)
        cJSON_Delete(o);
    return done;
}

/* Returns the distances of all solvers so far; NULL: out of memory. */
static cJSON *progress_of(const struct tuning *t)
{
    cJSON *o = cJSON_CreateObject(), *list = o ? cJSON_AddArrayToObject(o, "done") : NULL;
    bool done = list && cJSON_AddStringToObject(o, "spacing", t->tuner ? t->spacing : "") &&
                cJSON_AddNumberToObject(o, "untuned", t->tuner ? t->untuned : 0) &&
                cJSON_AddNumberToObject(o, "best", t->tuner ? t->best : 0);
    for (int i = 0; i < t->at && done; i++)
        done = add_solver(list, &t->done[i]);
    if (done)
        return o;
    cJSON_Delete(o);
    return NULL;
}

/* ---- save ---- */

enum { ENTRIES = 3 + TUNING_SOLVERS_MOST };

static struct dd_entry entry_of(const char *name, enum dd_dtype dtype, size_t rows, size_t columns,
                                const void *data)
{
    struct dd_entry e = { .name = name, .dtype = dtype, .rank = 2, .dim = { rows, columns }, .data = data };
    e.count = (uint64_t)rows * columns;
    e.size = (size_t)e.count * (dtype == DD_F64 ? sizeof(double) : sizeof(float));
    return e;
}

/* Fills the list of tensors in order of names and returns how many there are; name: room for their names. */
static size_t list_entries(struct dd_entry e[ENTRIES], char name[][16], const struct tuning *t)
{
    size_t n = 0, count;
    if (t->tuner)
        e[n++] = entry_of("best", DD_F64, DDPM_TUNED_ROWS, (size_t)t->K[t->at], t->table);
    for (int i = 0; i < t->at; i++) {
        snprintf(name[i], sizeof name[i], "done.%02d", i);
        e[n++] = entry_of(name[i], DD_F64, DDPM_TUNED_ROWS, (size_t)t->K[i], t->done[i].table);
    }
    e[n++] = entry_of("teacher", DD_F32, (size_t)t->taught, t->d, t->image);
    if (t->tuner) {
        const double *state = ddpm_tuner_state(t->tuner, &count);
        e[n++] = entry_of("tuner", DD_F64, 1, count, state);
    }
    return n;
}

int tuning_state_save(const struct tuning *t, const char *path, ddpm_error *err)
{
    cJSON *settings = settings_of(t), *progress = progress_of(t);
    char *text = settings ? cJSON_PrintUnformatted(settings) : NULL, name[TUNING_SOLVERS_MOST][16];
    char *figures = progress ? cJSON_PrintUnformatted(progress) : NULL;
    const char *meta[] = { key, text, key_progress, figures, NULL };
    struct dd_entry entry[ENTRIES];
    struct dd_output o;
    int code = text && figures ? DDPM_OK : dd_error_memory(err, path);

    if (!code)
        code = dd_output_create(&o, path, 1, err);
    if (!code) {
        code = dd_safetensors_write_hashed(o.stream, entry, list_entries(entry, name, t), meta, err);
        if (code)
            dd_output_abandon(&o);
        else
            code = dd_output_commit(&o, err);
    }

    cJSON_free(text);
    cJSON_free(figures);
    cJSON_Delete(settings);
    cJSON_Delete(progress);
    return code;
}

static struct dd_matrix_shape solver_shape(int K)
{
    return (struct dd_matrix_shape){ DD_F64, DDPM_TUNED_ROWS, (uint64_t)K };
}

/* ---- load ---- */

static int load_teacher(struct tuning *t, const struct dd_safetensors *s, const char *path, ddpm_error *err)
{
    const struct dd_entry *e = dd_safetensors_find(s, "teacher");
    uint64_t most = (uint64_t)(t->teach + t->choose + t->measure);
    if (!e || e->rank != 2 || e->dim[0] > most)
        return dd_error(err, DDPM_EDATA, "%s: expected a tensor teacher of at most %llu images", path,
                        (unsigned long long)most);
    t->taught = (int)e->dim[0];
    return dd_safetensors_matrix(t->image, s, "teacher", (struct dd_matrix_shape){ DD_F32, e->dim[0], t->d },
                                 path, err);
}

/* Loads the finished solvers: their distances from list, their tables from the tensors. */
static int load_done(struct tuning *t, const struct dd_safetensors *s, const cJSON *list, const char *path,
                     ddpm_error *err)
{
    int n = cJSON_GetArraySize(list), code = DDPM_OK;
    const cJSON *figures;
    if (n > t->count)
        return dd_error(err, DDPM_EDATA, "%s: %d solvers are finished of %d", path, n, t->count);

    cJSON_ArrayForEach(figures, list) {
        int K = t->K[t->at];
        char name[16];
        struct dd_json j;
        ddpm_tuned *solver = &t->done[t->at];
        double *table = calloc(DDPM_TUNED_ROWS * (size_t)K, sizeof *table);
        if (!table)
            return dd_error_memory(err, path);

        /* t->at counts the solver before it is read, so that tuning_close frees its table after an
                   error. */
        *solver = (ddpm_tuned){ .K = K, .table = table, .teacher = t->teacher, .images = t->measure };
        snprintf(name, sizeof name, "done.%02d", t->at++);

        dd_json_begin(&j, figures, "done", err);
        solver->error = dd_json_number(&j, "error", 0, 1e6);
        solver->untuned = dd_json_number(&j, "untuned", 0, 1e6);
        solver->equals = dd_json_int(&j, "equals", 0, 1000000);
        code = dd_json_end(&j);
        if (!code)
            code = dd_safetensors_matrix(table, s, name, solver_shape(K), path, err);
        if (code)
            return code;
    }
    return DDPM_OK;
}

/* Loads the solver that was under way. */
static int load_tuner(struct tuning *t, const struct dd_safetensors *s, const char *spacing, const char *path,
                      ddpm_error *err)
{
    size_t count;
    const char *const *known = ddpm_spacing_names();
    while (*known && strcmp(*known, spacing))
        known++;
    if (!*known || t->at >= t->count)
        return dd_error(err, DDPM_EDATA, "%s: a solver is under way that was not asked for", path);

    /* The tuner and its table are made as at the beginning, and then filled from the file. */
    t->spacing = *known;
    int code = tuning_make_tuner(t, err);
    if (code)
        return code;

    double *state = ddpm_tuner_state(t->tuner, &count);
    code = dd_safetensors_matrix(state, s, "tuner", (struct dd_matrix_shape){ DD_F64, 1, count }, path, err);
    if (!code)
        code = dd_safetensors_matrix(t->table, s, "best", solver_shape(t->K[t->at]), path, err);
    return code;
}

static int load_progress(struct tuning *t, const struct dd_safetensors *s, const char *path, ddpm_error *err)
{
    const char *text = dd_safetensors_meta(s, key_progress);
    cJSON *root = NULL;
    struct dd_json j;
    int code = text ? dd_json_parse(&root, text, strlen(text), path, err)
                    : dd_error(err, DDPM_EDATA, "%s: its metadata lack %s", path, key_progress);
    if (code)
        return code;

    dd_json_begin(&j, root, "", err);
    const char *spacing = dd_json_text(&j, "spacing");
    t->untuned = dd_json_number(&j, "untuned", 0, 1e6);
    t->best = dd_json_number(&j, "best", 0, 1e6);
    const cJSON *list = dd_json_list(&j, "done", TUNING_SOLVERS_MOST);
    code = dd_json_end(&j);

    if (!code)
        code = load_done(t, s, list, path, err);
    if (!code && *spacing)
        code = load_tuner(t, s, spacing, path, err);
    cJSON_Delete(root);
    return code;
}

/* Returns DDPM_EUSAGE unless the file has the settings of t. */
static int compare(const struct tuning *t, const struct dd_safetensors *s, const char *path, ddpm_error *err)
{
    static const char advice[] = "give the same options, or another --resume file";
    const char *text = dd_safetensors_meta(s, key);
    cJSON *found = NULL, *wanted = settings_of(t);

    int code = text ? DDPM_OK : dd_error(err, DDPM_EDATA, "%s is no file of ddpm tune --resume", path);
    if (!code && !wanted)
        code = dd_error_memory(err, path);
    if (!code)
        code = dd_json_parse(&found, text, strlen(text), path, err);
    if (!code)
        code = compare_settings(found, wanted, "", path, advice, err);

    cJSON_Delete(found);
    cJSON_Delete(wanted);
    return code;
}

int tuning_state_load(struct tuning *t, const char *path, ddpm_error *err)
{
    struct dd_file f;
    struct dd_safetensors s;
    int code = dd_file_map(&f, path, err);
    if (code)
        return code;

    code = dd_safetensors_read(&s, f.data, f.size, path, err);
    if (!code) {
        /* Other settings are the likelier mistake, so they are named before the hash is checked. */
        code = dd_safetensors_check_hash(f.data, f.size, path, err);
        if (!code)
            code = compare(t, &s, path, err);
        if (!code)
            code = load_teacher(t, &s, path, err);
        if (!code)
            code = load_progress(t, &s, path, err);
        dd_safetensors_free(&s);
    }

    dd_file_unmap(&f);
    return code;
}
