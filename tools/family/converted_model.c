/* Makes a model from a configuration and a map of names.

   ddpm_model_create fixes the names and shapes of our tensors.  The account then goes through them and
   through the checkpoint: every weight of ours must be met by one foreign tensor of the right shape, and
   every foreign tensor must be needed.  Only then are the numbers read. */
#include "family/converted_model.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/scan.h"
#include "family/class_file.h"

/* ---- the empty model ---- */

/* Returns the metadata without "id" as a text, which the caller frees with cJSON_free; NULL when out of
   memory.  Takes the names of the classes, which may be NULL. */
static char *metadata(struct conversion *v, const struct family *f, cJSON *names)
{
    cJSON *root = cJSON_CreateObject();
    cJSON_AddNumberToObject(root, "version", 1);
    cJSON_AddItemToObject(root, "net", v->net);
    cJSON_AddItemToObject(root, "diffusion", v->diffusion);
    if (names)
        cJSON_AddItemToObject(root, "class_names", names);
    v->net = v->diffusion = NULL;

    cJSON *source = cJSON_AddObjectToObject(root, "source");
    cJSON_AddStringToObject(source, "family", f->name);
    cJSON_AddStringToObject(source, "file", v->in->file);
    cJSON_AddStringToObject(source, "sha256", v->in->sha256);
    cJSON_AddStringToObject(source, "weights", *v->in->weights != '\0' ? v->in->weights : "unknown");

    /* cJSON ignores additions that fail.  The last one is checked in place of all. */
    bool complete = cJSON_AddStringToObject(source, "program", "ddpm " DDPM_VERSION) != NULL &&
                    (!v->class_names || cJSON_HasObjectItem(root, "class_names"));

    char *text = complete ? cJSON_PrintUnformatted(root) : NULL;
    if (text)
        dd_scan_repair(text);
    cJSON_Delete(root);
    return text;
}

static double member(const cJSON *object, const char *key)
{
    const cJSON *value = cJSON_GetObjectItemCaseSensitive(object, key);
    return cJSON_IsNumber(value) ? value->valuedouble : 0;
}

/* Returns a lower bound of the number of weights: one 3 x 3 convolution for each block of a level, a
   matrix behind the time embedding, and the table of classes.  No other part of the network is more than a
   few times larger than these together. */
static double least_weights(const cJSON *net)
{
    double hidden = member(cJSON_GetObjectItemCaseSensitive(net, "time"), "hidden");
    double least = hidden * (hidden + member(net, "classes"));
    double blocks = cJSON_HasObjectItem(net, "blocks") ? member(net, "blocks") : 1;

    const cJSON *width;
    cJSON_ArrayForEach(width, cJSON_GetObjectItemCaseSensitive(net, "widths")) {
        least += blocks * 9 * width->valuedouble * width->valuedouble;
    }
    return least;
}

/* Refuses a network that is much larger than the file, so that a configuration cannot make the program
   allocate more.  A small network is created in any case: the account then names the tensors that differ. */
static int check_size(struct conversion *v)
{
    static const double small = 1 << 22;
    double least = least_weights(v->net), elements = 0;
    for (size_t i = 0; i < v->in->tensors; i++) {
        const struct checkpoint_tensor *t = &v->in->tensor[i];
        double n = 1;
        for (int k = 0; k < t->rank; k++)
            n *= (double)t->dim[k];
        elements += n;
    }

    if (least > small && least > elements)
        return conversion_error(
            v, "the network that is described has at least %.0f weights, the file holds %.0f", least,
            elements);
    return DDPM_OK;
}

static int create(ddpm_model **m, struct conversion *v, const struct family *f)
{
    int code = check_size(v);
    if (code)
        return code;

    cJSON *names = NULL;
    if (v->class_names)
        code = class_file_read(&names, v->class_names, (int)member(v->net, "classes"), v->err);
    if (code)
        return code;

    char *json = metadata(v, f, names);
    if (!json)
        return dd_error_memory(v->err, "the model");

    code = ddpm_model_create(m, json, v->err);
    cJSON_free(json);
    return code ? dd_error_context(v->err, "%s", v->in->file) : DDPM_OK;
}

/* ---- the account of tensors ---- */

/* Complaints of one kind: how many there are, and the text of the first few. */
struct complaints {
    int count;
    bool cut;
    size_t used;
    char text[400];
};

static void complain_about(struct complaints *c, const char *format, ...) DD_PRINTF(2, 3);

static void complain_about(struct complaints *c, const char *format, ...)
{
    char one[200];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(one, sizeof one, format, arguments);
    va_end(arguments);

    const char *between = c->count++ > 0 ? ", " : "";
    c->cut = c->cut || c->used + strlen(between) + strlen(one) >= sizeof c->text;
    if (!c->cut)
        c->used += (size_t)snprintf(c->text + c->used, sizeof c->text - c->used, "%s%s", between, one);
}

/* Adds "2 missing: a, b" to a sentence, with at most `share` characters of the list. */
static void append(char *text, size_t size, const char *kind, const struct complaints *c, int share)
{
    size_t used = strlen(text);
    bool cut = c->cut || c->used > (size_t)share;
    if (c->count > 0)
        snprintf(text + used, size - used, "%s%d %s: %.*s%s", used > 0 ? "; " : "", c->count, kind, share,
                 c->text, cut ? " ..." : "");
}

static const char *shape_text(char text[64], int rank, const int64_t *dim)
{
    int used = snprintf(text, 64, "[");
    for (int i = 0; i < rank && used < 63; i++)
        used += snprintf(text + used, 64 - (size_t)used, "%s%lld", i > 0 ? ", " : "", (long long)dim[i]);
    /* A text that was cut still ends with a bracket. */
    snprintf(text + (used < 62 ? used : 62), 2, "]");
    return text;
}

/* Writes to dim the shape that the foreign tensor should have.  A tensor of several parts has our number
   of rows for each part; one whose last row lies elsewhere has one row less. */
static void expected_shape(int64_t dim[4], const struct foreign *from, const ddpm_tensor *ours)
{
    memcpy(dim, ours->dim, 4 * sizeof *dim);
    dim[0] = dim[0] * from->parts - (*from->last != '\0');
}

/* Compares shapes.  The foreign tensor may have further dimensions of 1: its 1 x 1 convolution may be our
   matrix. */
static bool has_shape(const struct checkpoint_tensor *t, int rank, const int64_t dim[4])
{
    if (t->rank < rank)
        return false;
    for (int i = 0; i < t->rank; i++)
        if (t->dim[i] != (i < rank ? dim[i] : 1))
            return false;
    return true;
}

/* Checks the tensor that holds our last row alone, if there is one, and marks it. */
static void check_last(const struct conversion *v, const struct foreign *from, const ddpm_tensor *ours,
                       struct complaints *missing, struct complaints *shapes, bool *used)
{
    char found[64], expected[64];
    const int64_t row[4] = { ours->dim[1], ours->dim[2], ours->dim[3] };
    const struct checkpoint_tensor *t = *from->last ? checkpoint_find(v->in, from->last) : NULL;
    if (t)
        used[t - v->in->tensor] = true;
    if (*from->last && !t)
        complain_about(missing, "%s", from->last);
    else if (t && !has_shape(t, ours->rank - 1, row))
        complain_about(shapes, "%s is %s, expected %s", from->last, shape_text(found, t->rank, t->dim),
                       shape_text(expected, ours->rank - 1, row));
}

/* Checks one of our weights and marks the foreign tensor that it needs.  Several parts of one foreign
   tensor make one complaint. */
static void check_weight(const struct conversion *v, const struct family *f, const ddpm_tensor *ours,
                         struct complaints *missing, struct complaints *shapes, bool *used)
{
    struct foreign from;
    int64_t dim[4];
    char found[64], expected[64];
    family_map(&from, f, v, ours);
    expected_shape(dim, &from, ours);
    check_last(v, &from, ours, missing, shapes, used);

    const struct checkpoint_tensor *t = checkpoint_find(v->in, from.name);
    /* q, k and v may be parts of one tensor.  If it is missing or wrong, only part 0 complains. */
    if (t)
        used[t - v->in->tensor] = true;
    if (from.part > 0)
        return;
    if (!t)
        complain_about(missing, "%s", from.name);
    else if (!has_shape(t, ours->rank, dim))
        complain_about(shapes, "%s is %s, expected %s", from.name, shape_text(found, t->rank, t->dim),
                       shape_text(expected, ours->rank, dim));
}

static int account(struct conversion *v, const struct family *f, const ddpm_model *m)
{
    struct complaints missing = { 0 }, shapes = { 0 }, unexpected = { 0 };
    char shape[64], text[400] = "";
    const ddpm_tensor *ours;
    size_t count = ddpm_model_tensors(m, &ours);
    bool *used = calloc(v->in->tensors + 1, sizeof *used);
    if (!used)
        return dd_error_memory(v->err, "the model");

    for (size_t i = 0; i < count; i++)
        if (family_is_weight(ours[i].name))
            check_weight(v, f, &ours[i], &missing, &shapes, used);

    for (size_t i = 0; i < v->in->tensors; i++) {
        const struct checkpoint_tensor *t = &v->in->tensor[i];
        if (!used[i] && (!f->ignores || !f->ignores(v, t)))
            complain_about(&unexpected, "%s %s", t->name, shape_text(shape, t->rank, t->dim));
    }
    free(used);

    /* The kinds of complaints share one sentence.  Words such as "of a wrong shape" take up to 25
       characters. */
    int kinds = (missing.count > 0) + (shapes.count > 0) + (unexpected.count > 0);
    int share = 360 / (kinds + !kinds) - 25;
    append(text, sizeof text, "missing", &missing, share);
    append(text, sizeof text, "of a wrong shape", &shapes, share);
    append(text, sizeof text, "unexpected", &unexpected, share);
    return *text == '\0' ? DDPM_OK : conversion_error(v, "of %zu tensors, %s", v->in->tensors, text);
}

/* ---- the numbers ---- */

static int64_t elements_of(const ddpm_tensor *t)
{
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    return n;
}

/* Reads a tensor of several parts and copies the rows of one part: see struct foreign. */
static int read_part(const struct conversion *v, const struct foreign *from,
                     const struct checkpoint_tensor *t, const ddpm_tensor *ours)
{
    int64_t rows = ours->dim[0], row = elements_of(ours) / rows;
    float *out = ours->data, *all = malloc((size_t)(from->parts * rows * row) * sizeof *all);
    if (!all)
        return dd_error_memory(v->err, from->name);

    int code = checkpoint_floats(v->in, t, all, v->err);
    for (int64_t r = 0; r < rows && !code; r++) {
        /* Our row r is row r % run of run r / run.  Their runs alternate between the parts. */
        int64_t theirs = (r / from->run * from->parts + from->part) * from->run + r % from->run;
        memcpy(out + r * row, all + theirs * row, (size_t)row * sizeof *out);
    }
    free(all);
    return code;
}

static int fill_weight(const struct conversion *v, const struct family *f, const ddpm_tensor *ours)
{
    struct foreign from;
    family_map(&from, f, v, ours);
    const struct checkpoint_tensor *t = checkpoint_find(v->in, from.name);
    int code =
        from.parts > 1 ? read_part(v, &from, t, ours) : checkpoint_floats(v->in, t, ours->data, v->err);
    if (code || !*from.last)
        return code;

    int64_t row = elements_of(ours) / ours->dim[0];
    float *last = (float *)ours->data + (ours->dim[0] - 1) * row;
    return checkpoint_floats(v->in, checkpoint_find(v->in, from.last), last, v->err);
}

/* Fills a table that is not among a checkpoint's weights.  The tables of a named schedule are in the model
   already. */
static void fill_table(const struct conversion *v, const ddpm_tensor *ours)
{
    size_t n = (size_t)elements_of(ours);
    if (!strcmp(ours->name, "time.freq"))
        memcpy(ours->data, v->freq, n * sizeof *v->freq);
    else if (v->beta && !strcmp(ours->name, "schedule.beta"))
        memcpy(ours->data, v->beta, n * sizeof *v->beta);
    else if (v->alpha_bar && !strcmp(ours->name, "schedule.alpha_bar"))
        memcpy(ours->data, v->alpha_bar, n * sizeof *v->alpha_bar);
}

static int fill(const struct conversion *v, const struct family *f, const ddpm_model *m)
{
    const ddpm_tensor *ours;
    size_t count = ddpm_model_tensors(m, &ours);
    int code = DDPM_OK;

    for (size_t i = 0; i < count && !code; i++) {
        if (family_is_weight(ours[i].name))
            code = fill_weight(v, f, &ours[i]);
        else
            fill_table(v, &ours[i]);
    }
    return code ? code : checkpoint_unchanged(v->in, v->err);
}

int converted_model(ddpm_model **m, struct conversion *v, const struct family *f)
{
    *m = NULL;
    int code = create(m, v, f);
    if (!code)
        code = account(v, f, *m);
    if (!code)
        code = fill(v, f, *m);

    if (code) {
        ddpm_model_close(*m);
        *m = NULL;
    }
    return code;
}

size_t converted_weights(const ddpm_model *m, double *parameters)
{
    const ddpm_tensor *t;
    size_t count = ddpm_model_tensors(m, &t), weights = 0;

    *parameters = 0;
    for (size_t i = 0; i < count; i++)
        if (family_is_weight(t[i].name)) {
            *parameters += (double)elements_of(&t[i]);
            weights++;
        }
    return weights;
}
