/* What is common to all families: which one it is, and the account of tensors: every want met by one foreign tensor of the
   right shape, every foreign tensor wanted.  See family.h. */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/memory.h"
#include "family/family.h"

static const struct family *const families[] = { &family_diffusers, &family_openai, &family_ho,
                                                 &family_lucidrains };

enum { FAMILIES = sizeof families / sizeof *families };

const char *const *family_names(void)
{
    static const char *const names[] = { "auto", "diffusers", "openai", "ho", "lucidrains", NULL };
    return names;
}

static bool signed_by(const struct family *f, const struct checkpoint *c)
{
    for (const char *const *s = f->signature; *s; s++)
        if (checkpoint_find(c, *s) == NULL)
            return false;
    return true;
}

int family_find(const struct family **f, const char *name, const struct checkpoint *c, ddpm_error *err)
{
    if (checkpoint_find(c, "schedule.alpha_bar") != NULL && checkpoint_find(c, "time.freq") != NULL)
        return dd_error(err, DDPM_EDATA,
                        "%s: is a model file of this program already; --to says what it is to become",
                        c->file);
    for (int i = 0; i < FAMILIES; i++) {
        *f = families[i];
        if (!strcmp(name, (*f)->name) && !signed_by(*f, c))
            return dd_error(err, DDPM_EDATA, "%s: not a U-Net of %s: there is no tensor %s, or no %s",
                            c->file, (*f)->origin, (*f)->signature[0], (*f)->signature[1]);
        if ((!strcmp(name, "auto") || !strcmp(name, (*f)->name)) && signed_by(*f, c))
            return DDPM_OK;
    }
    return dd_error(err, DDPM_EDATA,
                    "%s: a U-Net of no known family: expected the tensors conv_in.weight (diffusers), "
                    "input_blocks.0.0.weight (OpenAI), temb.dense.0.weight (Ho) or init_conv.weight "
                    "(lucidrains), found %zu others such as %s",
                    c->file, c->tensors, c->tensors > 0 ? c->tensor[0].name : "none");
}

void conversion_free(struct conversion *v)
{
    cJSON_Delete(v->net);
    cJSON_Delete(v->diffusion);
    free(v->want);
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

int conversion_want(struct conversion *v, const char *name, const char *from, int rank, const int64_t *dim)
{
    struct want *more = dd_memory_more(v->want, v->wants, sizeof *more);
    if (!more)
        return dd_error_memory(v->err, "the list of the network's tensors");
    v->want = more;
    struct want *w = &v->want[v->wants++];
    memset(w, 0, sizeof *w);
    snprintf(w->name, sizeof w->name, "%s", name);
    snprintf(w->from, sizeof w->from, "%s", from ? from : name);
    w->rank = rank;
    memcpy(w->dim, dim, (size_t)rank * sizeof *dim);
    return DDPM_OK;
}

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
        dim[i] = i < t->rank ? t->dim[i] : 1;
        if (dim[i] < 1 || dim[i] > 1 << 20)
            return conversion_error(v, "%s has a dimension of %lld, expected 1 to %d", name,
                                    (long long)dim[i], 1 << 20);
    }
    return DDPM_OK;
}

void conversion_check_int(struct conversion *v, const char *key, int found)
{
    if (settings_int(v->say, key, -1, 1 << 20, found) != found)
        settings_wrong(v->say, key, "but the tensors show %d", found);
}

void conversion_refuse_if(struct conversion *v, const char *key, bool asked)
{
    if (asked)
        settings_wrong(v->say, key, "which this program does not have");
}

static int freq_room(struct conversion *v, int half)
{
    v->freqs = half;
    v->freq = malloc((size_t)half * sizeof *v->freq);
    return !v->freq ? dd_error(v->err, DDPM_ENOMEM, "out of memory") : DDPM_OK;
}

int conversion_freq_late(struct conversion *v, int half, double divisor)
{
    int code = divisor > 0 ? freq_room(v, half)
                           : conversion_error(v, "a time embedding of %d channels is too narrow", 2 * half);
    for (int i = 0; i < half && !code; i++)
        v->freq[i] = expf((float)-log(10000) * (float)i / (float)divisor);
    return code;
}

int conversion_freq_early(struct conversion *v, int half, double divisor, double theta)
{
    int code = divisor > 0 ? freq_room(v, half)
                           : conversion_error(v, "a time embedding of %d channels is too narrow", 2 * half);
    for (int i = 0; i < half && !code; i++)
        v->freq[i] = expf((float)i * (float)-(log(theta) / divisor));
    return code;
}

/* A schedule of that name can be made of so many steps: with few, a beta may come to more than 1. */
static int check_schedule(struct conversion *v, int steps, const char *name)
{
    double *beta = malloc(2 * (size_t)steps * sizeof *beta);
    int code = beta ? ddpm_betas(beta, beta + steps, steps, name, v->err)
                    : dd_error(v->err, DDPM_ENOMEM, "out of memory");
    free(beta);
    if (code == DDPM_EUSAGE)
        v->err->code = code = DDPM_EDATA;
    return code;
}

int conversion_diffusion(struct conversion *v, int steps, const char *name, const char *prediction,
                         const char *variance, double clip, double t_scale)
{
    int code = v->beta ? DDPM_OK : check_schedule(v, steps, name);
    if (code)
        return code;
    cJSON *d = v->diffusion = cJSON_CreateObject();
    cJSON_AddNumberToObject(d, "steps", steps);
    cJSON_AddStringToObject(d, "name", name);
    cJSON_AddStringToObject(d, "prediction", prediction);
    cJSON_AddStringToObject(d, "variance", variance);
    cJSON_AddNumberToObject(d, "clip", clip);
    return cJSON_AddNumberToObject(d, "t_scale", t_scale) == NULL
               ? dd_error(v->err, DDPM_ENOMEM, "out of memory")
               : DDPM_OK;
}

const char *conversion_number(char text[32], double x)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(text, 32, "%.*g", digits, x);
        if (strtod(text, NULL) == x)
            break;
    }
    return text;
}

/* ---- the account of tensors ---- */

static const char *shape_text(char text[64], int rank, const int64_t *dim)
{
    int used = snprintf(text, 64, "[");
    for (int i = 0; i < rank && used < 63; i++)
        used += snprintf(text + used, 64 - (size_t)used, "%s%lld", i > 0 ? ", " : "", (long long)dim[i]);
    snprintf(text + (used < 62 ? used : 62), 2, "]");
    return text;
}

static bool fits(const struct want *w, const struct checkpoint_tensor *t)
{
    bool same = t->rank >= w->rank;
    for (int i = 0; i < t->rank && same; i++)
        same = t->dim[i] == (i >= w->rank ? 1
                             : i == 0     ? w->dim[0] * (w->parts > 0 ? w->parts : 1)
                                          : w->dim[i]);
    return same;
}

/* A complaint of one kind: how many, and the first few. */
struct faults {
    int count;
    bool cut;
    size_t used;
    char text[400];
};

static void fault(struct faults *f, const char *format, ...) DD_PRINTF(2, 3);

static void fault(struct faults *f, const char *format, ...)
{
    char one[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(one, sizeof one, format, arguments);
    va_end(arguments);
    const char *between = f->count++ > 0 ? ", " : "";
    f->cut = f->cut || f->used + strlen(between) + strlen(one) >= sizeof f->text;
    if (!f->cut)
        f->used += (size_t)snprintf(f->text + f->used, sizeof f->text - f->used, "%s%s", between, one);
}

/* Each kind gets its share of the sentence. */
static void append(char *text, size_t size, const char *kind, const struct faults *f, int share)
{
    size_t used = strlen(text);
    if (f->count > 0)
        snprintf(text + used, size - used, "%s%d %s: %.*s%s", used > 0 ? "; " : "", f->count, kind, share,
                 f->text, f->used > (size_t)share || f->cut ? " ..." : "");
}

static int account(struct conversion *v, const struct family *f)
{
    struct faults missing = { 0 }, shapes = { 0 }, unexpected = { 0 };
    char a[64], b[64], text[400] = "";
    bool *used = calloc(v->in->tensors + 1, sizeof *used);
    if (!used)
        return dd_error(v->err, DDPM_ENOMEM, "out of memory");
    for (size_t i = 0; i < v->wants; i++) {
        const struct want *w = &v->want[i];
        const struct checkpoint_tensor *t = checkpoint_find(v->in, w->from);
        int64_t whole[4] = { w->dim[0] * (w->parts > 0 ? w->parts : 1), w->dim[1], w->dim[2], w->dim[3] };
        if (t)
            used[t - v->in->tensor] = true;
        if (!t && w->part == 0)
            fault(&missing, "%s", w->from);
        else if (t && !fits(w, t) && w->part == 0)
            fault(&shapes, "%s is %s, expected %s", w->from, shape_text(a, t->rank, t->dim),
                  shape_text(b, w->rank, whole));
    }
    for (size_t i = 0; i < v->in->tensors; i++)
        if (!used[i] && (!f->ignores || !f->ignores(v, &v->in->tensor[i])))
            fault(&unexpected, "%s %s", v->in->tensor[i].name,
                  shape_text(a, v->in->tensor[i].rank, v->in->tensor[i].dim));
    free(used);
    int share = 330 / ((missing.count > 0) + (shapes.count > 0) + (unexpected.count > 0) + 1) + 60;
    append(text, sizeof text, "missing", &missing, share);
    append(text, sizeof text, "of a wrong shape", &shapes, share);
    append(text, sizeof text, "unexpected", &unexpected, share);
    return *text == '\0' ? DDPM_OK : conversion_error(v, "of %zu tensors, %s", v->in->tensors, text);
}

int family_read(struct conversion *v, const struct family *f)
{
    char unused[200];
    int code = f->read(v);
    if (code && !v->say->code && v->say->missing[0] == '\0')
        return code;
    if ((code = settings_end(v->say, v->in->file, f->spare, unused, sizeof unused)) != DDPM_OK)
        return code;
    if (*unused != '\0')
        conversion_note(v, "not used: %s", unused);
    return account(v, f);
}
