/* Holds the functions that the families share when they read a checkpoint (conversion.h). */
#include "family/conversion.h"
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void conversion_free(struct conversion *v)
{
    cJSON_Delete(v->net);
    cJSON_Delete(v->diffusion);
    free(v->freq);
    free(v->beta);
    free(v->alpha_bar);
    dd_arena_free(&v->arena);
}

int conversion_note(struct conversion *v, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    checkpoint_add_note(v->notes, sizeof v->notes, format, arguments);
    va_end(arguments);
    return DDPM_OK;
}

int conversion_error(struct conversion *v, const char *format, ...)
{
    char text[400];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dd_error(v->err, DDPM_EDATA, "%s: %s", v->in->file, text);
}

/* ---- tensors ---- */

bool conversion_has(const struct conversion *v, const char *format, ...)
{
    char name[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);
    return checkpoint_find(v->in, name) != NULL;
}

bool conversion_mentions(const struct conversion *v, const char *part)
{
    for (size_t i = 0; i < v->in->tensors; i++)
        if (strstr(v->in->tensor[i].name, part) != NULL)
            return true;
    return false;
}

int conversion_shape(struct conversion *v, int64_t dim[4], int rank, const char *format, ...)
{
    char name[96];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(name, sizeof name, format, arguments);
    va_end(arguments);

    const struct checkpoint_tensor *t = checkpoint_find(v->in, name);
    if (!t)
        return conversion_error(v, "there is no tensor %s", name);
    if (t->rank < rank || t->rank > 4)
        return conversion_error(v, "%s has %d dimensions, expected %d", name, t->rank, rank);

    for (int i = 0; i < 4; i++) {
        /* No network has larger dimensions, and these fit into an int. */
        dim[i] = i < t->rank ? t->dim[i] : 1;
        if (dim[i] < 1 || dim[i] > 1 << 20)
            return conversion_error(v, "%s has a dimension of %lld, expected 1 to %d", name,
                                    (long long)dim[i], 1 << 20);
    }
    return DDPM_OK;
}

/* ---- settings ---- */

int conversion_ends(struct conversion *v, struct conversion_ends *ends,
                    const struct conversion_end_names *names)
{
    int64_t time[4], in[4], out[4];
    int code = conversion_shape(v, time, 2, "%s", names->time);
    if (!code)
        code = conversion_shape(v, in, 4, "%s", names->in);
    if (!code)
        code = conversion_shape(v, out, names->out_rank, "%s", names->out);
    if (code)
        return code;

    *ends = (struct conversion_ends){
        .time_hidden = (int)time[0],
        .time_dim = (int)time[1],
        .init = (int)in[0],
        .channels = (int)in[1],
        .outputs = (int)out[0],
    };
    return DDPM_OK;
}

void conversion_check_int(struct conversion *v, const char *key, int found)
{
    if (settings_int(v->say, key, -1, 1 << 20, found) != found)
        settings_wrong(v->say, key, "but the tensors show %d", found);
}

bool conversion_null_class(struct conversion *v, const char *key, int classes)
{
    int none = settings_int(v->say, key, 0, 1 << 20, -1);
    if (none < 0)
        return false;
    if (classes < 2)
        settings_wrong(v->say, key, "but the network has %d classes, expected 2 or more", classes);
    else if (none != classes - 1)
        settings_wrong(v->say, key, "expected %d: this program has no class behind all classes", classes - 1);
    return true;
}

void conversion_refuse_if(struct conversion *v, const char *key, bool asked)
{
    if (asked)
        settings_wrong(v->say, key, "which this program does not have");
}

/* ---- the time embedding ---- */

/* Allocates v->freq for `half` frequencies.  A divisor of 0 or less comes from an embedding that is too
   narrow. */
static int make_freq(struct conversion *v, int half, double divisor)
{
    if (!(divisor > 0))
        return conversion_error(v, "a time embedding of %d channels is too narrow", 2 * half);
    v->freq = malloc((size_t)half * sizeof *v->freq);
    return v->freq ? DDPM_OK : dd_error_memory(v->err, "the conversion");
}

int conversion_freq_divide_last(struct conversion *v, int half, double divisor)
{
    int code = make_freq(v, half, divisor);

    /* Every cast rounds where the origin rounds. */
    for (int i = 0; i < half && !code; i++)
        v->freq[i] = expf((float)-log(10000) * (float)i / (float)divisor);
    return code;
}

int conversion_freq_divide_first(struct conversion *v, int half, double divisor, double theta)
{
    int code = make_freq(v, half, divisor);

    for (int i = 0; i < half && !code; i++)
        v->freq[i] = expf((float)i * (float)-(log(theta) / divisor));
    return code;
}

/* ---- the noise schedule ---- */

/* Refuses a schedule that gives, with this number of steps, a beta of more than 1. */
static int check_schedule(struct conversion *v, int steps, const char *name)
{
    double *beta = malloc(2 * (size_t)steps * sizeof *beta);
    int code = beta ? ddpm_betas(beta, beta + steps, steps, name, v->err)
                    : dd_error_memory(v->err, "the conversion");
    free(beta);
    if (code == DDPM_EUSAGE)
        v->err->code = code = DDPM_EDATA;
    return code;
}

int conversion_diffusion(struct conversion *v, const struct diffusion *d)
{
    int code = v->beta ? DDPM_OK : check_schedule(v, d->steps, d->name);
    if (code)
        return code;

    cJSON *object = v->diffusion = cJSON_CreateObject();
    cJSON_AddNumberToObject(object, "steps", d->steps);
    cJSON_AddStringToObject(object, "name", d->name);
    if (d->prediction) {
        cJSON_AddStringToObject(object, "prediction", d->prediction);
        cJSON_AddStringToObject(object, "variance", d->variance);
        cJSON_AddNumberToObject(object, "clip", d->clip);
    }

    /* cJSON ignores additions that fail.  The last one is checked in place of all. */
    return cJSON_AddNumberToObject(object, "t_scale", d->t_scale) ? DDPM_OK
                                                                  : dd_error_memory(v->err, "the conversion");
}

const char *conversion_number(char text[32], double x)
{
    /* 17 digits give any double back. */
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return text;
}
