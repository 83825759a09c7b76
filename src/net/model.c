/* The tensors of a model.  Their names and shapes follow from the metadata alone:

     every parameter of the network's nodes, and time.freq;
     schedule.beta [T], schedule.alpha_bar [T], double;
     stats.gamma [T], stats.mse [T], double, where the metadata have "stats";
     tuned.K [6, K], double, for each solver in the list "tuned" of the metadata;
     in a training checkpoint raw.NAME, adam.m.NAME, adam.v.NAME and average.low.NAME besides every NAME that
     training changes.

   Versions that kept the average in single floats wrote neither average.low.NAME nor "average" in "train". */
#include "net/model.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"
#include "base/rng.h"
#include "net/model_tuned.h"

enum { ALIGN = 64 };

static int read_source(const cJSON *source, ddpm_error *err)
{
    static const char *const keys[] = { "family", "file", "sha256", "weights", "program" };
    struct dd_json j;
    dd_json_begin(&j, source, "source", err);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        dd_json_text(&j, keys[i]);

    /* These keys say how training images of another size, or of other channels, were converted. */
    if (dd_json_has(&j, "fit"))
        dd_json_text(&j, "fit");
    if (dd_json_has(&j, "colors"))
        dd_json_text(&j, "colors");
    return dd_json_end(&j);
}

static int read_stats(const cJSON *stats, ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, stats, "stats", err);
    dd_json_int(&j, "images", 1, 2147483647);
    if (dd_json_has(&j, "bits"))
        dd_json_number(&j, "bits", -1e6, 1e6);
    return dd_json_end(&j);
}

/* Checks that every class has a name, of which none is empty. */
static int read_class_names(const cJSON *list, int classes, ddpm_error *err)
{
    const cJSON *name;
    int n = cJSON_GetArraySize(list), k = 0;
    if (n != classes)
        return dd_error(err, DDPM_EDATA, "class_names: %d names found, net.classes is %d", n, classes);

    cJSON_ArrayForEach(name, list) {
        if (!cJSON_IsString(name) || !*name->valuestring)
            return dd_error(err, DDPM_EDATA, "class_names[%d]: a text that is not empty is expected", k);
        k++;
    }
    return DDPM_OK;
}

const char dd_model_average[] = "NAME + average.low.NAME";

/* Reads how far training has come.  The object "run" belongs to the caller of the trainer and is ignored
   here. */
static int read_training(ddpm_model *m, const cJSON *train, ddpm_error *err)
{
    static const double most = 0x1p53;
    struct dd_json j;
    dd_json_begin(&j, train, "train", err);
    const cJSON *trainer = dd_json_object(&j, "trainer");
    dd_json_object(&j, "run");
    int code = dd_json_end(&j);

    dd_json_begin(&j, trainer, "train.trainer", err);
    double steps = dd_json_number(&j, "step", 0, most), images = dd_json_number(&j, "images", 0, most);
    m->low = dd_json_has(&j, "average");
    const char *average = m->low ? dd_json_text(&j, "average") : dd_model_average;

    if (!code)
        code = dd_json_end(&j);
    if (!code && strcmp(average, dd_model_average))
        code = dd_error(err, DDPM_EDATA, "train.trainer.average: \"%.60s\" found, \"%s\" is expected",
                        average, dd_model_average);
    if (!code && (steps != floor(steps) || images != floor(images)))
        code =
            dd_error(err, DDPM_EDATA,
                     "train.trainer: step is %.17g, images %.17g: whole numbers are expected", steps, images);

    m->steps = (int64_t)steps;
    m->images = (int64_t)images;
    return code;
}

static int read_id(ddpm_model *m, const char *id, ddpm_error *err)
{
    if (strlen(id) != 64 || strspn(id, "0123456789abcdef") != 64)
        return dd_error(err, DDPM_EDATA, "id: \"%.70s\" found, 64 hexadecimal digits are expected", id);
    memcpy(m->id, id, sizeof m->id);
    return DDPM_OK;
}

static int read_metadata(ddpm_model *m, bool has_id, ddpm_error *err)
{
    struct dd_json j;
    const char *id = NULL;

    dd_json_begin(&j, m->root, "", err);
    dd_json_int(&j, "version", 1, 1);
    const cJSON *net = dd_json_object(&j, "net"), *diffusion = dd_json_object(&j, "diffusion");
    const cJSON *source = dd_json_object(&j, "source"), *stats = NULL, *tuned = NULL, *train = NULL,
                *names = NULL;
    m->stats = dd_json_has(&j, "stats");
    if (m->stats)
        stats = dd_json_object(&j, "stats");
    if (dd_json_has(&j, "tuned"))
        tuned = dd_json_list(&j, "tuned", DD_MODEL_TUNED_MOST);
    if (dd_json_has(&j, "class_names"))
        names = dd_json_list(&j, "class_names", INT32_MAX);
    m->training = dd_json_has(&j, "train");
    if (m->training)
        train = dd_json_object(&j, "train");
    if (has_id || dd_json_has(&j, "id"))
        id = dd_json_text(&j, "id");

    int code = dd_json_end(&j);
    if (!code)
        code = dd_config_net(&m->config, net, err);
    if (!code && m->config.arch == DD_ARCH_ENCODER && (stats || tuned || train))
        code = dd_error(err, DDPM_EDATA,
                        "net.arch is \"encoder\": a classifier has no stats, tuned solvers or training");
    if (!code)
        code = dd_config_diffusion(&m->diffusion, diffusion, &m->config, err);
    if (!code)
        code = read_source(source, err);
    if (!code && stats)
        code = read_stats(stats, err);
    if (!code && tuned)
        code = dd_model_tuned_read(m, tuned, err);
    if (!code && names)
        code = read_class_names(names, m->config.classes, err);
    if (!code && train)
        code = read_training(m, train, err);
    if (!code && has_id)
        code = read_id(m, id, err);
    return code;
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(((const ddpm_tensor *)a)->name, ((const ddpm_tensor *)b)->name);
}

const ddpm_tensor *dd_model_find(const ddpm_model *m, const char *name)
{
    ddpm_tensor key = { .name = name };
    return bsearch(&key, m->tensor, m->tensors, sizeof key, compare_names);
}

static void add_table(ddpm_model *m, const char *name)
{
    m->tensor[m->tensors++] =
        (ddpm_tensor){ .name = name, .dtype = DDPM_F64, .rank = 1, .dim = { m->diffusion.steps } };
}

const char *const dd_model_kept[DD_MODEL_KEPT] = { "raw", "adam.m", "adam.v", "average.low" };

/* Lists the tensors that training keeps besides one parameter. */
static int list_kept(ddpm_model *m, const struct dd_param *p, ddpm_error *err)
{
    for (int k = 0; k < (m->low ? DD_MODEL_KEPT : DD_MODEL_LOW) && p->init != DD_INIT_FREQUENCY; k++) {
        ddpm_tensor *t = &m->tensor[m->tensors++];
        *t = (ddpm_tensor){ .name = dd_arena_text(&m->arena, "%s.%s", dd_model_kept[k], p->name),
                            .dtype = DDPM_F32,
                            .rank = p->rank };
        if (!t->name)
            return dd_error(err, DDPM_ENOMEM, "out of memory for the list of tensors");
        memcpy(t->dim, p->dim, sizeof t->dim);
    }
    return DDPM_OK;
}

static int list_tensors(ddpm_model *m, ddpm_error *err)
{
    const struct dd_program *p = &m->program;
    size_t most = (size_t)p->params * (m->training ? 1 + DD_MODEL_KEPT : 1) + 4 + DD_MODEL_TUNED_MOST;
    int code = DDPM_OK;
    m->tensor = dd_arena(&m->arena, most, sizeof *m->tensor);
    m->param = dd_arena(&m->arena, most, sizeof *m->param);
    if (!m->tensor || !m->param)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the list of tensors");

    for (int i = 0; i < p->params; i++) {
        ddpm_tensor *t = &m->tensor[m->tensors++];
        *t = (ddpm_tensor){ .name = p->param[i].name, .dtype = DDPM_F32, .rank = p->param[i].rank };
        memcpy(t->dim, p->param[i].dim, sizeof t->dim);
    }
    for (int i = 0; i < p->params && m->training && !code; i++)
        code = list_kept(m, &p->param[i], err);
    if (code)
        return code;
    add_table(m, "schedule.beta");
    add_table(m, "schedule.alpha_bar");
    if (m->stats) {
        add_table(m, "stats.gamma");
        add_table(m, "stats.mse");
    }
    code = dd_model_tuned_list(m, err);
    if (code)
        return code;

    qsort(m->tensor, m->tensors, sizeof *m->tensor, compare_names);
    /* Sorting has moved the tensors, so the indices of the parameters are set again. */
    for (size_t i = 0; i < m->tensors; i++)
        m->param[i] = -1;
    for (int i = 0; i < p->params; i++)
        m->param[dd_model_find(m, p->param[i].name) - m->tensor] = i;
    return DDPM_OK;
}

int dd_model_describe(ddpm_model **out, const char *json, size_t size, const char *name, bool has_id,
                      ddpm_error *err)
{
    *out = NULL;
    ddpm_model *m = calloc(1, sizeof *m);
    if (!m)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", name);

    int code = dd_json_parse(&m->root, json, size, name, err);
    if (!code) {
        code = read_metadata(m, has_id, err);
        if (!code)
            code = dd_program_create(&m->program, &m->config, false, err);
        if (!code)
            code = list_tensors(m, err);
        if (!code && !(m->json = dd_arena_text(&m->arena, "%.*s", (int)size, json)))
            code = dd_error(err, DDPM_ENOMEM, "out of memory");
        if (code)
            dd_error_context(err, "%s", name);
    }

    if (code) {
        dd_model_free(m);
        return code;
    }
    *out = m;
    return DDPM_OK;
}

size_t dd_model_bytes(const ddpm_tensor *t, int64_t *count)
{
    static const size_t size[] = { [DDPM_F32] = 4, [DDPM_F16] = 2, [DDPM_F64] = 8 };
    int64_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= t->dim[i];
    if (count)
        *count = n;
    return (size_t)n * size[t->dtype];
}

/* Fills f_i = 10000^(-i / d), where d is half - 1 for "sin,cos" and half for "cos,sin". */
static void fill_frequencies(float *f, int half, bool cos_first)
{
    int d = cos_first ? half : half - 1;
    for (int i = 0; i < half; i++)
        f[i] = (float)exp(-log(10000) * i / (d ? d : 1));
}

/* calloc does not touch the pages, so a large configuration costs memory only as its tensors are filled. */
int dd_model_allocate(ddpm_model *m, ddpm_error *err)
{
    size_t total = ALIGN;
    for (size_t i = 0; i < m->tensors; i++)
        total += (dd_model_bytes(&m->tensor[i], NULL) + ALIGN - 1) / ALIGN * ALIGN;
    m->block = calloc(1, total);
    if (!m->block)
        return dd_error(err, DDPM_ENOMEM, "out of memory: %zu bytes for the tensors of the model", total);

    char *at = (char *)m->block + (ALIGN - (uintptr_t)m->block % ALIGN) % ALIGN;
    for (size_t i = 0; i < m->tensors; i++) {
        m->tensor[i].data = at;
        at += (dd_model_bytes(&m->tensor[i], NULL) + ALIGN - 1) / ALIGN * ALIGN;
    }
    fill_frequencies(dd_model_find(m, "time.freq")->data, m->config.time_dim / 2, m->config.cos_first);
    return DDPM_OK;
}

void dd_model_about(ddpm_model *m)
{
    const struct dd_config *c = &m->config;
    const struct dd_diffusion *d = &m->diffusion;

    m->about = (ddpm_about){
        .height = c->height,
        .width = c->width,
        .channels = c->channels,
        .outputs = c->outputs,
        .classifier = c->arch == DD_ARCH_ENCODER,
        .classes = c->classes,
        .null_class = c->null_class,
        .steps = d->steps,
        .prediction = d->prediction,
        .variance = d->variance,
        .clip = d->clip,
        .t_scale = d->t_scale,
        .json = m->json,
        .id = m->id,
    };
    m->about.beta = dd_model_find(m, "schedule.beta")->data;
    m->about.alpha_bar = dd_model_find(m, "schedule.alpha_bar")->data;
    if (m->stats) {
        m->about.gamma = dd_model_find(m, "stats.gamma")->data;
        m->about.mse = dd_model_find(m, "stats.mse")->data;
    }
    dd_model_tuned_about(m);
}

/* ---- initial weights ---- */

/* Draws one parameter: uniform within 1 / sqrt(fan_in), as PyTorch's layers start, or standard normal. */
static void draw(float *w, const struct dd_param *p, const struct dd_rng *r)
{
    double bound = p->init == DD_INIT_UNIFORM ? 1 / sqrt((double)p->fan_in) : 0;
    uint32_t word[256];
    for (size_t i = 0, n; i < (size_t)p->count; i += n) {
        n = (size_t)p->count - i < 256 ? (size_t)p->count - i : 256;
        dd_rng_words(r, word, i, n);
        for (size_t k = 0; k < n; k++) {
            double u = (word[k] + 0.5) * 0x1p-32; /* between 0 and 1, never equal to either */
            w[i + k] = (float)(p->init == DD_INIT_UNIFORM ? (2 * u - 1) * bound : dd_rng_quantile(u));
        }
    }
}

void dd_model_init(ddpm_model *m, uint64_t seed)
{
    /* The noise of a tensor depends on its index among parameters and tables.  The tensors that training
       keeps have no index, so a training checkpoint starts with the same weights as its model. */
    uint32_t index = 0;
    for (size_t i = 0; i < m->tensors; i++) {
        index += i && (m->param[i - 1] >= 0 || m->tensor[i - 1].dtype == DDPM_F64);
        if (m->param[i] < 0)
            continue;

        const struct dd_param *p = &m->program.param[m->param[i]];
        float *w = m->tensor[i].data;
        struct dd_rng r = { .seed = seed, .index = index, .purpose_draw = (uint32_t)DD_RNG_WEIGHTS << 24 };
        if (p->init == DD_INIT_UNIFORM || p->init == DD_INIT_NORMAL)
            draw(w, p, &r);
        else if (p->init != DD_INIT_FREQUENCY)
            for (int64_t k = 0; k < p->count; k++)
                w[k] = p->init == DD_INIT_ONE;
    }
}

/* ---- checks before a model is used ---- */

static bool is_finite(const ddpm_tensor *t, int64_t i)
{
    if (t->dtype == DDPM_F32)
        return (((const uint32_t *)t->data)[i] & 0x7f800000) != 0x7f800000;
    if (t->dtype == DDPM_F16)
        return (((const uint16_t *)t->data)[i] & 0x7c00) != 0x7c00;
    return isfinite(((const double *)t->data)[i]);
}

/* Returns the index of the first number that is not finite, or -1.  In such a number all exponent bits are
   set.  All weights are tested at every start, so a whole block is tested by a loop that vectorises. */
static int64_t not_finite(const ddpm_tensor *t)
{
    int64_t n;
    dd_model_bytes(t, &n);
    const uint32_t *f32 = t->data;
    const uint16_t *f16 = t->data;
    const double *f64 = t->data;

    for (int64_t i = 0, end; i < n; i = end) {
        int bad = 0;
        end = n - i < 4096 ? n : i + 4096;
        if (t->dtype == DDPM_F32)
            for (int64_t k = i; k < end; k++)
                bad |= (f32[k] & 0x7f800000) == 0x7f800000;
        else if (t->dtype == DDPM_F16)
            for (int64_t k = i; k < end; k++)
                bad |= (f16[k] & 0x7c00) == 0x7c00;
        else
            for (int64_t k = i; k < end; k++)
                bad |= !isfinite(f64[k]);

        for (int64_t k = i; bad && k < end; k++)
            if (!is_finite(t, k))
                return k;
    }
    return -1;
}

static int validate_schedule(const ddpm_model *m, const char *name, ddpm_error *err)
{
    const double *beta = m->about.beta, *alpha_bar = m->about.alpha_bar;
    int T = m->diffusion.steps;

    for (int t = 0; t < T; t++) {
        bool last = t == T - 1, zero = last && alpha_bar[t] == 0; /* the chain has zero terminal SNR */
        if (zero && m->diffusion.prediction == DDPM_EPS)
            return dd_error(err, DDPM_EDATA,
                            "%s: schedule.alpha_bar[%d] is 0: eps cannot be predicted from pure noise; "
                            "only x0 and v models can have zero terminal SNR",
                            name, t);

        if (!(beta[t] > 0 && (beta[t] < 1 || (zero && beta[t] == 1))))
            return dd_error(err, DDPM_EDATA, "%s: schedule.beta[%d] is %.9g, expected between 0 and 1", name,
                            t, beta[t]);
        if (!((alpha_bar[t] > 0 || zero) && alpha_bar[t] < (t ? alpha_bar[t - 1] : 1)))
            return dd_error(
                err, DDPM_EDATA,
                "%s: schedule.alpha_bar[%d] is %.9g, expected above 0 and below %.9g, the one before", name,
                t, alpha_bar[t], t ? alpha_bar[t - 1] : 1);
    }
    return DDPM_OK;
}

/* Checks that the statistics are not negative: both are means of squares. */
static int validate_statistics(const ddpm_model *m, const char *name, ddpm_error *err)
{
    for (int t = 0; m->stats && t < m->diffusion.steps; t++) {
        bool of_gamma = m->about.gamma[t] < 0;

        if (of_gamma || m->about.mse[t] < 0)
            return dd_error(err, DDPM_EDATA, "%s: stats.%s[%d] is %g, but a mean of squares is at least 0",
                            name, of_gamma ? "gamma" : "mse", t,
                            of_gamma ? m->about.gamma[t] : m->about.mse[t]);
    }
    return DDPM_OK;
}

int dd_model_validate(const ddpm_model *m, const char *name, ddpm_error *err)
{
    for (size_t i = 0; i < m->tensors; i++) {
        int64_t k = not_finite(&m->tensor[i]);
        if (k >= 0)
            return dd_error(err, DDPM_EDATA, "%s: tensor %s: element %lld is NaN or infinite", name,
                            m->tensor[i].name, (long long)k);
    }
    int code = validate_schedule(m, name, err);
    if (!code)
        code = validate_statistics(m, name, err);
    return code ? code : dd_model_tuned_validate(m, name, err);
}

int dd_model_unchanged(const ddpm_model *m, ddpm_error *err)
{
    return m->path ? dd_file_unchanged(&m->file, m->path, err) : DDPM_OK;
}

int dd_model_makes_images(const ddpm_model *m, ddpm_error *err)
{
    if (m->config.arch != DD_ARCH_ENCODER)
        return DDPM_OK;
    return dd_error(err, DDPM_EUSAGE, "the model is a classifier, which makes no images");
}

void dd_model_free(ddpm_model *m)
{
    if (!m)
        return;
    cJSON_Delete(m->root);
    dd_program_free(&m->program);
    dd_file_unmap(&m->file);
    dd_arena_free(&m->arena);
    free(m->block);
    free(m);
}
