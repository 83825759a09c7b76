/* The typical mistakes of a converter, made on purpose. Each reference case says how far the output
   moves when one is made (max_abs_change_if, computed by the original network), and a model with the
   mistake must move as far. So this finds tests that pass only because nothing depends on what they
   vary.

   The tolerance: with a for the original's wrong output, b for ours and r for the right one, | max|a -
   r| - max|b - r| | <= max|a - b|. a and b differ as two outputs of the same network do, by at most the
   case's tolerance. */
#include <dirent.h>
#include "base/json.h"
#include "base/safetensors.h"
#include "check.h"
#include "tools/cli/layout.h"
#include "tools/cli/options.h"

struct golden {
    const char *folder;
    cJSON *root;
    size_t n, c, h, w, outputs;
    float *x, *t, *out; /* x [n, h, w, c], t [n], out [n, h, w, outputs] */
    int32_t *classes;   /* [n] or NULL */
};

/* ---- the case ---- */

static float *floats(const struct dd_safetensors *io, const char *name)
{
    const struct dd_entry *e = dd_safetensors_find(io, name);
    float *f = malloc((size_t)e->count * sizeof *f);
    if (e->dtype == DD_I64)
        for (uint64_t i = 0; i < e->count; i++) {
            int64_t v;
            memcpy(&v, e->data + 8 * i, sizeof v);
            f[i] = (float)v;
        }
    else
        dd_dtype_to_float(f, e->data, e->dtype, (size_t)e->count);
    return f;
}

static float *pixels(const struct dd_safetensors *io, const char *name, size_t channels,
                     const struct golden *g)
{
    float *plain = floats(io, name), *f = malloc(g->n * channels * g->h * g->w * sizeof *f);
    layout_from_nchw(f, plain, g->n, channels, g->h, g->w);
    free(plain);
    return f;
}

static int golden_open(struct golden *g, const char *folder)
{
    struct dd_file text, file;
    struct dd_safetensors io;
    ddpm_error err;
    *g = (struct golden){ .folder = folder };

    if (dd_file_map(&text, check_path(folder, "case.json"), &err))
        return -1;
    int code = dd_json_parse(&g->root, (const char *)text.data, text.size, "case.json", &err);
    dd_file_unmap(&text);

    if (code || dd_file_map(&file, check_path(folder, "io.safetensors"), &err))
        return -1;

    if (!dd_safetensors_read(&io, file.data, file.size, "io.safetensors", &err)) {
        const struct dd_entry *x = dd_safetensors_find(&io, "x");
        g->n = (size_t)x->dim[0], g->c = (size_t)x->dim[1], g->h = (size_t)x->dim[2],
        g->w = (size_t)x->dim[3];
        g->outputs = (size_t)dd_safetensors_find(&io, "out")->dim[1];
        g->x = pixels(&io, "x", g->c, g);
        g->out = pixels(&io, "out", g->outputs, g);
        g->t = floats(&io, "t");

        float *classes = dd_safetensors_find(&io, "y") ? floats(&io, "y") : NULL;
        g->classes = classes ? malloc(g->n * sizeof *g->classes) : NULL;
        for (size_t i = 0; classes && i < g->n; i++)
            g->classes[i] = (int32_t)classes[i];
        free(classes);
        dd_safetensors_free(&io);
    }

    dd_file_unmap(&file);
    return g->out ? 0 : -1;
}

static void golden_close(struct golden *g)
{
    cJSON_Delete(g->root);
    free(g->x), free(g->t), free(g->out), free(g->classes);
}

static const char *text_of(const struct golden *g, const char *key)
{
    return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(g->root, key));
}

static double flag(const struct golden *g, const char *key, double fallback)
{
    const cJSON *v =
        cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(g->root, "converter_flags"), key);
    return cJSON_IsNumber(v) ? v->valuedouble : cJSON_IsBool(v) ? cJSON_IsTrue(v) : fallback;
}

/* Runs `ddpm convert` with the case's own flags and two more settings ("" for none). Returns the model,
   or NULL. */
static ddpm_model *convert(const struct golden *g, const char *first, const char *second)
{
    const char *folder = check_folder(), *file = text_of(g, "file"),
               *output = check_path(folder, "model.ddpm"), *flags = check_path(folder, "flags.json");
    char *json = cJSON_PrintUnformatted(cJSON_GetObjectItemCaseSensitive(g->root, "converter_flags")),
         size[64];
    const char *input = file ? check_path(g->folder, "%s", file) : g->folder;

    FILE *f = fopen(flags, "wb");
    fputs(json, f);
    fclose(f);
    cJSON_free(json);
    snprintf(size, sizeof size, "--set=image_size=%zux%zu", g->h, g->w);
    char set1[64], set2[64],
        *argv[12] = { "-q", "--force", (char *)input, "-o", (char *)output, "--config", (char *)flags };
    int argc = 7;

    snprintf(set1, sizeof set1, "--set=%s", first);
    snprintf(set2, sizeof set2, "--set=%s", second);

    /* Checkpoints of family D, lucidrains, do not hold the size of an image. */
    if (*text_of(g, "family") == 'D')
        argv[argc++] = size;
    if (*first)
        argv[argc++] = set1;
    if (*second)
        argv[argc++] = set2;

    const struct command *c = &command_convert;
    void *settings = malloc(c->size);
    int arguments;
    ddpm_error err = { 0, "" };
    ddpm_model *m = NULL;

    memcpy(settings, c->defaults, c->size);
    if (options_parse(c, settings, argc, argv, &arguments, &err) || c->run(settings, argv, arguments) ||
        ddpm_model_open(&m, output, &err))
        check_fail(__FILE__, __LINE__, "%s: %s", text_of(g, "name"), err.text);

    free(settings);
    return m;
}

/* Returns max |network - out|, or NAN. */
static double distance(const struct golden *g, const ddpm_model *m, const int32_t *classes)
{
    const ddpm_net_options o = { .batch = (int)g->n, .threads = 1, .conv = "gemm" };
    size_t size = g->n * g->h * g->w * g->outputs;
    float *out = malloc(size * sizeof *out);
    double most = 0;
    ddpm_net *net = NULL;
    ddpm_error err = { 0, "" };
    if (ddpm_net_create(&net, m, &o, &err) || ddpm_net_run(net, out, g->x, g->t, classes, (int)g->n, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", text_of(g, "name"), err.text);
        most = NAN;
    }
    for (size_t i = 0; i < size; i++)
        most = fmax(most, fabs((double)out[i] - g->out[i]));
    ddpm_net_free(net);
    free(out);
    return most;
}

/* ---- the mistakes ---- */

static cJSON *at(cJSON *net, const char *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object ? cJSON_GetObjectItemCaseSensitive(net, object) : net,
                                            key);
}

static void swap_order(cJSON *net)
{
    cJSON *order = at(net, "time", "order");
    cJSON_SetValuestring(order, strcmp(order->valuestring, "sin,cos") ? "sin,cos" : "cos,sin");
}

static void eps_5(cJSON *net)
{
    cJSON_SetNumberHelper(at(net, "norm", "eps"), 1e-5);
}

static void eps_6(cJSON *net)
{
    cJSON_SetNumberHelper(at(net, "norm", "eps"), 1e-6);
}

static void pad_both(cJSON *net)
{
    cJSON_ReplaceItemInObjectCaseSensitive(net, "pad", cJSON_CreateString("both"));
}

static void pad_right(cJSON *net)
{
    cJSON_ReplaceItemInObjectCaseSensitive(net, "pad", cJSON_CreateString("right"));
}

static const ddpm_tensor *tensor(const ddpm_model *m, const char *name)
{
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    for (size_t i = 0; i < n; i++)
        if (!strcmp(t[i].name, name))
            return &t[i];
    return NULL;
}

static void frequencies(const ddpm_model *m, int shift)
{
    const ddpm_tensor *t = tensor(m, "time.freq");
    for (int i = 0; i < t->dim[0]; i++)
        ((float *)t->data)[i] = (float)exp(-log(10000) * i / (double)(t->dim[0] - shift));
}

static void freq_half(const ddpm_model *m)
{
    frequencies(m, 0);
}

static void freq_half_less_1(const ddpm_model *m)
{
    frequencies(m, 1);
}

static void no_memory(const ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    for (size_t i = 0; i < n; i++)
        if (strstr(t[i].name, "mem_kv"))
            memset(t[i].data, 0,
                   (size_t)(t[i].dim[0] * t[i].dim[1] * t[i].dim[2] * t[i].dim[3]) * sizeof(float));
}

/* The 1x1 convolution behind a pixel-unshuffle reads channel 4 c + p. This puts its weights into the
   order p C + c. */
static void unshuffle(const ddpm_model *m)
{
    const ddpm_tensor *t;
    size_t n = ddpm_model_tensors(m, &t);
    for (size_t k = 0; k < n; k++) {
        if (strncmp(t[k].name, "downs.", 6) || !strstr(t[k].name, ".3.1.weight"))
            continue;
        int64_t in = t[k].dim[1], channels = in / 4;
        float *row = malloc((size_t)in * sizeof *row), *w = t[k].data;
        for (int64_t o = 0; o < t[k].dim[0]; o++, w += in) {
            memcpy(row, w, (size_t)in * sizeof *row);
            for (int64_t i = 0; i < in; i++)
                w[i % 4 * channels + i / 4] = row[i];
        }
        free(row);
    }
}

static const struct mistake {
    const char *name, *set;  /* set: a setting of convert */
    void (*net)(cJSON *net); /* a change of the metadata */
    void (*tensors)(const ddpm_model *m);
} mistakes[] = {
    { "sin/cos halves swapped", NULL, swap_order, NULL },
    { "norm eps 1e-05 instead of 1e-06", NULL, eps_5, NULL },
    { "norm eps 1e-06 instead of 1e-05", NULL, eps_6, NULL },
    { "freq_shift 0", "freq_shift=0", NULL, NULL },
    { "freq_shift 1", "freq_shift=1", NULL, NULL },
    { "frequency divisor half", NULL, NULL, freq_half },
    { "frequency divisor half - 1", NULL, NULL, freq_half_less_1 },
    { "downsample_padding 0", "downsample_padding=0", NULL, NULL },
    { "downsample_padding 1", "downsample_padding=1", NULL, NULL },
    { "downsample padded right/bottom", NULL, pad_right, NULL },
    { "downsample padded symmetrically", NULL, pad_both, NULL },
    { "attention_head_dim 8", "attention_head_dim=8", NULL, NULL },
    { "attention_head_dim null", "attention_head_dim=null", NULL, NULL },
    { "one attention head", "num_heads=1", NULL, NULL },
    { "twice the attention heads", "num_heads=2", NULL, NULL },
    { "other attention order", "use_new_attention_order", NULL, NULL },
    { "labels swapped", NULL, NULL, NULL },
    { "memory key/values zeroed", NULL, NULL, no_memory },
    { "pixel-unshuffle channel order (p1 p2 c)", NULL, NULL, unshuffle },
};

static const char not_of_a_file[] = "tanh GELU in the time MLP";

/* Makes a model of the same tensors under changed metadata, then changes the tensors. */
static ddpm_model *spoil(const ddpm_model *m, const struct mistake *wrong)
{
    cJSON *root = cJSON_Parse(ddpm_model_about(m)->json);

    if (wrong->net)
        wrong->net(cJSON_GetObjectItemCaseSensitive(root, "net"));
    char *json = cJSON_PrintUnformatted(root);
    ddpm_model *spoilt = NULL;
    ddpm_error err = { 0, "" };

    const ddpm_tensor *from, *to;
    if (ddpm_model_create(&spoilt, json, &err)) {
        check_fail(__FILE__, __LINE__, "%s: %s", wrong->name, err.text);
    } else {
        size_t n = ddpm_model_tensors(m, &from);
        ddpm_model_tensors(spoilt, &to);
        for (size_t i = 0; i < n; i++) {
            size_t size = from[i].dtype == DDPM_F64 ? 8 : 4;
            for (int k = 0; k < from[i].rank; k++)
                size *= (size_t)from[i].dim[k];
            memcpy(to[i].data, from[i].data, size);
        }
        if (wrong->tensors)
            wrong->tensors(spoilt);
    }

    cJSON_free(json);
    cJSON_Delete(root);
    return spoilt;
}

static ddpm_model *convert_wrongly(const struct golden *g, const struct mistake *wrong)
{
    double heads = flag(g, "num_heads", 0), channels = flag(g, "num_head_channels", -1);
    char first[64], second[64] = "";
    snprintf(first, sizeof first, "%s", wrong->set);
    if (!strcmp(wrong->set, "num_heads=1")) {
        snprintf(second, sizeof second, "num_head_channels=-1");
    } else if (!strcmp(wrong->set, "num_heads=2")) {
        snprintf(first, sizeof first, channels > 0 ? "num_head_channels=%g" : "num_heads=%g",
                 channels > 0 ? channels / 2 : 2 * heads);
    } else if (!strcmp(wrong->set, "use_new_attention_order")) {
        snprintf(first, sizeof first, "%s=%s", wrong->set, flag(g, wrong->set, 0) ? "false" : "true");
    }
    return convert(g, first, second);
}

static void make(const struct golden *g, const ddpm_model *right, const struct mistake *wrong,
                 double expected, double tolerance)
{
    ddpm_model *m = wrong->set ? convert_wrongly(g, wrong) : spoil(right, wrong);
    int32_t swapped[2] = { 0, 0 };
    bool swap = !strcmp(wrong->name, "labels swapped");
    if (swap && g->classes && g->n == 2)
        swapped[0] = g->classes[1], swapped[1] = g->classes[0];
    if (m) {
        double moved = distance(g, m, swap ? swapped : g->classes);
        if (!(moved > 5 * tolerance && fabs(moved - expected) <= tolerance))
            check_fail(__FILE__, __LINE__, "%s, %s: the output moves by %.6g, expected %.6g within %g",
                       text_of(g, "name"), wrong->name, moved, expected, tolerance);
    }
    ddpm_model_close(m);
}

static void check_case(const char *folder)
{
    struct golden g;
    if (golden_open(&g, folder)) {
        check_fail(__FILE__, __LINE__, "%s cannot be read", folder);
        golden_close(&g);
        return;
    }

    double tolerance = cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(g.root, "tolerance_max_abs"));
    ddpm_model *right = convert(&g, "", "");
    const cJSON *change;

    if (right)
        CHECK(distance(&g, right, g.classes) <= tolerance);

    cJSON_ArrayForEach(change, cJSON_GetObjectItemCaseSensitive(g.root, "max_abs_change_if")) {
        const struct mistake *wrong = mistakes, *end = mistakes + sizeof mistakes / sizeof *mistakes;
        /* Each change that the reference measured must be one that is made here. */
        while (wrong < end && strcmp(wrong->name, change->string))
            wrong++;
        if (wrong < end && right)
            make(&g, right, wrong, change->valuedouble, tolerance);
        else if (strcmp(change->string, not_of_a_file))
            check_fail(__FILE__, __LINE__, "%s: %s is not made", text_of(&g, "name"), change->string);
    }

    ddpm_model_close(right);
    golden_close(&g);
}

TEST(golden, mistakes_are_seen)
{
    char root[512];
    const char *shared = check_shared();

    snprintf(root, sizeof root, "%s",
             shared ? check_path(shared, "reference/checkpoints")
                    : check_path(check_source(), "tests/golden/cases"));
    DIR *d = opendir(root);
    int cases = 0;
    REQUIRE(d);

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (strchr("ABCD", e->d_name[0]) && e->d_name[1] >= '1' && e->d_name[1] <= '9') {
            char folder[768];
            snprintf(folder, sizeof folder, "%s/%s", root, e->d_name);
            check_case(folder);
            cases++;
        }

    closedir(d);
    CHECK(cases >= 4);
}
