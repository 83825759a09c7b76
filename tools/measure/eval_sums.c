/* The file is a safetensors container with "sums" [5, K] and "images" [n, columns] as in eval_sums.h, and the
   settings as metadata; by the ODE there are no sums.  It carries a hash, because a number that has changed
   on the disk looks like a measured one. */
#include "measure/eval_sums.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "cli/compare_settings.h"
#include "base/error.h"
#include "base/json.h"
#include "base/safetensors.h"
#include "measure/student.h"

static const char key[] = "ddpm.eval";

int eval_sums_create(struct eval_sums *t, int K, size_t room, ddpm_error *err)
{
    *t = (struct eval_sums){ .K = K, .columns = K ? EVAL_SUMS_CALLS : EVAL_SUMS_CALLS + 1, .room = room };
    t->sum = calloc((size_t)K * EVAL_SUMS_SUMS + 1, sizeof *t->sum);
    t->image = calloc(room, (size_t)t->columns * sizeof *t->image);
    if (t->sum && t->image)
        return DDPM_OK;
    return dd_error(err, DDPM_ENOMEM, "out of memory for the results of %zu images of %d steps", room, K);
}

void eval_sums_free(struct eval_sums *t)
{
    free(t->sum);
    free(t->image);
}

const double *eval_sums_row(const struct eval_sums *t, size_t k)
{
    return t->image + k * (size_t)t->columns;
}

/* Adds a row, of which a lost image has the first two numbers alone. */
static void add_row(struct eval_sums *t, double row[EVAL_SUMS_CALLS + 1], bool lost)
{
    if (lost)
        row[EVAL_SUMS_TOTAL] = row[EVAL_SUMS_PRIOR] = row[EVAL_SUMS_L0] = NAN;
    memcpy(t->image + t->images * (size_t)t->columns, row, (size_t)t->columns * sizeof *row);
    t->images++;
    t->lost += lost;
}

void eval_sums_add_likelihood(struct eval_sums *t, uint32_t index, uint32_t check,
                              const ddpm_likelihood_image *l)
{
    double row[] = { index, check, l->total, l->prior, l->change, l->calls };
    add_row(t, row, l->lost != 0);
}

void eval_sums_add(struct eval_sums *t, uint32_t index, uint32_t check, const ddpm_bound_image *b)
{
    const double *part[EVAL_SUMS_SUMS] = { b->term, b->mse_eps, b->mse_x0, b->gamma, b->mse };
    double row[] = { index, check, b->total, b->prior, b->term[0], 0 };
    add_row(t, row, b->lost != 0);

    for (int s = 0; s < EVAL_SUMS_SUMS && !b->lost; s++)
        for (int i = 0; i < t->K; i++)
            t->sum[s * t->K + i] += part[s][i];
}

double eval_sums_at(const struct eval_sums *t, int sum, int i)
{
    return t->sum[sum * t->K + i] / (double)(t->images - t->lost);
}

static bool is_lost(const struct eval_sums *t, size_t k)
{
    return isnan(eval_sums_row(t, k)[EVAL_SUMS_TOTAL]);
}

struct eval_sums_mean eval_sums_mean(const struct eval_sums *t, int column)
{
    double n = (double)(t->images - t->lost), sum = 0, squares = 0;

    for (size_t k = 0; k < t->images; k++)
        if (!is_lost(t, k))
            sum += eval_sums_row(t, k)[column];

    double mean = sum / n;

    /* Squares are summed in a second pass, as a sum of squares less the square of the sum would
           cancel. */
    for (size_t k = 0; k < t->images; k++)
        if (!is_lost(t, k))
            squares += pow(eval_sums_row(t, k)[column] - mean, 2);

    if (!(n > 1))
        return (struct eval_sums_mean){ mean, NAN };
    return (struct eval_sums_mean){ mean, student_quantile((size_t)n - 1) * sqrt(squares / (n - 1) / n) };
}

int eval_sums_save(const struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err)
{
    struct dd_output o;
    char *text = cJSON_PrintUnformatted(settings);
    const char *meta[] = { key, text, NULL };
    struct dd_entry entry[2] = {
        { .name = "sums",
          .dtype = DD_F64,
          .rank = 2,
          .dim = { EVAL_SUMS_SUMS, (uint64_t)t->K },
          .data = (const unsigned char *)t->sum },
        { .name = "images",
          .dtype = DD_F64,
          .rank = 2,
          .dim = { t->images, (uint64_t)t->columns },
          .data = (const unsigned char *)t->image },
    };

    for (int i = 0; i < 2; i++) {
        entry[i].count = entry[i].dim[0] * entry[i].dim[1];
        entry[i].size = (size_t)entry[i].count * sizeof(double);
    }

    if (!text)
        return dd_error_memory(err, path);
    int code = dd_output_create(&o, path, 1, err);
    if (!code)
        code = dd_safetensors_write_hashed(o.stream, t->K ? entry : entry + 1, t->K ? 2 : 1, meta, err);
    if (code)
        dd_output_abandon(&o);
    else
        code = dd_output_commit(&o, err);
    cJSON_free(text);
    return code;
}

/* Returns DDPM_EDATA for a file that has changed; the sentence says how to go on without it. */
static int check_hash(const struct dd_file *f, const char *path, ddpm_error *err)
{
    ddpm_error why;
    int code = dd_safetensors_check_hash(f->data, f->size, path, &why);
    if (!code)
        return DDPM_OK;
    return dd_error(err, code, "%.350s: another --resume file measures all images anew", why.text);
}

/* Loads t from an open file after all checks. */
static int load(struct eval_sums *t, const struct dd_safetensors *s, const struct dd_file *f,
                const char *path, const cJSON *settings, ddpm_error *err)
{
    const char *text = dd_safetensors_meta(s, key);
    const struct dd_entry *images = dd_safetensors_find(s, "images");
    cJSON *found = NULL;

    if (!text || !images)
        return dd_error(err, DDPM_EDATA, "%s is no file of ddpm eval --resume", path);

    int code = check_hash(f, path, err);
    if (!code)
        code = dd_json_parse(&found, text, strlen(text), path, err);
    if (!code)
        code = compare_settings(found, settings, "", path, "give the same options, or another --resume file",
                                err);
    cJSON_Delete(found);
    if (code)
        return code;

    if (images->dim[0] > t->room)
        return dd_error(err, DDPM_EUSAGE, "%s holds %llu images already, more than the %zu to be measured",
                        path, (unsigned long long)images->dim[0], t->room);
    const struct dd_matrix_shape sums = { DD_F64, EVAL_SUMS_SUMS, (uint64_t)t->K };
    const struct dd_matrix_shape rows = { DD_F64, images->dim[0], (uint64_t)t->columns };
    code = t->K ? dd_safetensors_matrix(t->sum, s, "sums", sums, path, err) : DDPM_OK;
    if (!code)
        code = dd_safetensors_matrix(t->image, s, "images", rows, path, err);
    if (code)
        return code;

    t->images = (size_t)images->dim[0];
    for (size_t k = 0; k < t->images; k++)
        t->lost += is_lost(t, k);
    return DDPM_OK;
}

int eval_sums_load(struct eval_sums *t, const char *path, const cJSON *settings, ddpm_error *err)
{
    struct dd_file f;
    struct dd_safetensors s;
    int code = dd_file_map(&f, path, err);
    if (code)
        return code;

    code = dd_safetensors_read(&s, f.data, f.size, path, err);
    if (!code) {
        code = load(t, &s, &f, path, settings, err);
        dd_safetensors_free(&s);
    }
    dd_file_unmap(&f);
    return code;
}
