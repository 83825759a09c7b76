/* Models: what a configuration may say, what a file must hold, and that saving and opening change
   nothing. */
#include "base/file.h"
#include "base/safetensors.h"
#include "base/system.h"
#include "tests/check.h"
#include "tests/small_nets.h"

/* ---- configurations ---- */

/* In the JSON of a small network the text `from` is replaced by `to`. It must be refused by a sentence
   that holds `says`. */
struct wrong {
    const char *net, *from, *to, *says;
};

static void replace(char *text, size_t size, const char *from, const char *to)
{
    char *at = strstr(text, from), rest[4096];
    REQUIRE(at);
    snprintf(rest, sizeof rest, "%s", at + strlen(from));
    snprintf(at, size - (size_t)(at - text), "%s%s", to, rest);
}

static void refused(const struct wrong *w)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    small_net_json(json, sizeof json, w->net);
    replace(json, sizeof json, w->from, w->to);
    if (ddpm_model_create(&m, json, &err) != DDPM_EDATA || m || !strstr(err.text, w->says))
        check_fail(__FILE__, __LINE__, "%s for %s: \"%s\" does not say \"%s\"", w->to, w->from, err.text,
                   w->says);
}

TEST(model, configurations_that_are_refused)
{
    static const struct wrong wrong[] = {
        { "plain", "\"version\": 1", "\"version\": 2", "configuration: version: 2 found" },
        { "plain", "\"blocks\": 1", "\"blocks\": null",
          "net.blocks: a whole number is expected, found null" },
        { "plain", "\"blocks\": 1,", "", "net.blocks: missing" },
        { "plain", "\"blocks\": 1", "\"blocks\": 1, \"block\": 1", "net.block: unknown key" },
        { "plain", "\"act\": \"silu\"", "\"act\": \"swish\"",
          "net.act: \"swish\" found, one of these is expected: silu, gelu, relu, mish" },
        { "plain", "[4,8]", "[4,2147483647]",
          "net.widths[1]: 2147483647 found, a whole number between 1 and 32768" },
        { "plain", "[4,8]", "[]", "net.widths is empty" },
        { "plain", "[4,8]", "[4,6]", "net.widths[1] is 6, which net.norm.groups = 4 does not divide" },
        { "plain", "[4,8]", "[4,8,8]", "net.heads.down has 2 entries, expected 3" },
        { "plain", "\"init\": 4", "\"init\": 6", "net.init is 6" },
        { "plain", "\"height\": 8", "\"height\": 9",
          "net.height is 9: at level 0 that is 9, which cannot be halved" },
        { "turns", "\"width\": 12", "\"width\": 10",
          "net.width is 10: at level 1 that is 5, which cannot be halved; expected a multiple of 4" },
        { "plain", "\"mid\": 1", "\"mid\": 3",
          "net.heads.mid is 3, which does not divide the width 8 of level 1" },
        { "plain", "\"up\": [0,1]", "\"up\": [0,-1]", "net.heads.up[1]" },
        { "turns", "\"dim\": 6", "\"dim\": 32768",
          "net.heads.down[1] is 2: with net.heads.dim = 32768 that is more than 32768 channels" },
        { "plain", "\"mid_attention\": 4", "\"mid_attention\": 3", "net.norm.mid_attention is 3" },
        { "plain", "\"eps\": 1e-5", "\"eps\": 0", "net.norm.eps" },
        { "plain", "\"down\": [\"conv\"]", "\"down\": [\"pool\"]",
          "net.down[0] is \"pool\", expected \"conv\" or \"res\"" },
        { "plain", "\"down\": [\"conv\"]", "\"down\": []", "net.down has 0 entries, expected 1" },
        { "plain", "\"outputs\": 3", "\"outputs\": 4", "net.outputs is 4, expected net.channels = 3, or 6" },
        { "plain", "\"variance\": \"beta\"", "\"variance\": \"learned\"",
          "diffusion.variance is \"learned\" but net.outputs is 3, expected 6" },
        { "plain", "\"steps\": 1000", "\"steps\": 0", "diffusion.steps" },
        { "plain", "\"t_scale\": 0.5", "\"t_scale\": 0", "diffusion.t_scale" },
        { "plain", "linear:1e-4,0.02", "linear+zero-snr", "\"linear+zero-snr\" ends with alpha_bar = 0" },
        { "plain", "\"order\": \"cos,sin\"", "\"order\": \"both\"", "net.time.order" },
        { "plain", "\"family\": \"none\"", "\"family\": 3", "source.family" },
        { "plain", "\"classes\": 0", "\"classes\": 1e9", "net.classes" },
        { "plain", "\"source\":", "\"class_names\": [\"a\"], \"source\":",
          "class_names: 1 names found, net.classes is 0" },
        { "lucid", "\"classes\": 0", "\"classes\": 0, \"null_class\": true",
          "net.null_class is true but net.classes is 0" },
        { "guided", "\"conv4\"", "\"conv3\"", "net.down: \"conv3\" found, one of these is expected" },
        { "lucid", "\"full\": [0,1]", "\"full\": [0]", "net.full has 1 entries, expected 2" },
        { "lucid", "\"heads\": 2", "\"heads\": 4096, \"heads\": 1", "occurs twice" },
        { "lucid", "\"dim\": 8, \"memory\"", "\"dim\": 32768, \"memory\"",
          "net.heads is 2: with net.dim = 32768" },
    };

    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        refused(&wrong[i]);
}

/* Each number is within its bounds, but all together are too much. The refusal comes before anything of
   that size is allocated. */
TEST(model, a_monstrous_network_is_refused)
{
    char json[4096];
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    small_net_json(json, sizeof json, "plain");
    replace(json, sizeof json, "[4,8]", "[32768,32768]");
    CHECK(ddpm_model_create(&m, json, &err) == DDPM_EDATA && !m);
    CHECK(strstr(err.text, "net.widths: the network would have") &&
          strstr(err.text, "expected at most 4000000000"));
}

TEST(model, texts_that_are_no_json)
{
    static const char *const texts[] = { "", "{", "[]", "{\"version\": 1}", "null" };
    ddpm_error err;
    ddpm_model *m;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK(ddpm_model_create(&m, texts[i], &err) == DDPM_EDATA && !m);
}

TEST(model, what_create_fills_in)
{
    ddpm_model *m = small_net_create("turns");

    REQUIRE(m);
    const ddpm_about *a = ddpm_model_about(m);
    const ddpm_tensor *list;
    size_t n = ddpm_model_tensors(m, &list);

    CHECK(a->height == 20 && a->width == 12 && a->channels == 1 && a->outputs == 2 && a->classes == 5 &&
          a->steps == 1000);
    CHECK(a->prediction == DDPM_EPS && a->variance == DDPM_LEARNED_RANGE && a->clip == 1 &&
          a->t_scale == 0.5 && !a->gamma);
    CHECK(a->beta[0] == 1e-4 && a->beta[999] == 0.02);
    CHECK_NEAR(a->alpha_bar[999], 4.035829765375676e-05, 1e-17); /* from checkpoint-families.md 9.4 */
    CHECK_TEXT(a->id, "");

    for (size_t i = 0; i < n; i++) {
        CHECK(i == 0 || strcmp(list[i - 1].name, list[i].name) < 0);
        if (!strcmp(list[i].name, "time.freq")) { /* 9 wide: half 4, sin first: 10000^(-i/3) */
            CHECK(list[i].rank == 1 && list[i].dim[0] == 4);
            for (int k = 0; k < 4; k++)
                CHECK_NEAR(((float *)list[i].data)[k], pow(10000, -k / 3.0), 6e-8);
        }
    }

    ddpm_model_close(m);
}

/* conv1 has 16 x 16 x 9 weights from U(-b, b), b = 1/12. Their mean is 0 +- b / sqrt(3 n) and their mean
   square b^2/3 (1 +- sqrt(4/(5n))); both are compared within 5 standard deviations. */
TEST(model, initial_weights)
{
    ddpm_model *m = small_net_create("turns");
    const ddpm_tensor *list;

    REQUIRE(m);
    size_t tensors = ddpm_model_tensors(m, &list), seen = 0;
    for (size_t i = 0; i < tensors; i++) {
        const float *w = list[i].data;
        if (!strcmp(list[i].name, "down_blocks.0.resnets.1.conv1.weight")) {
            double n = 16 * 16 * 9, b = 1.0 / 12, sum = 0, square = 0, most = 0;
            for (int k = 0; k < (int)n; k++) {
                sum += w[k];
                square += (double)w[k] * w[k];
                most = fmax(most, fabs(w[k]));
            }
            CHECK(most <= b && most > 0.99 * b);
            CHECK_NEAR(sum / n, 0, 5 * b / sqrt(3 * n));
            CHECK_NEAR(square / n, b * b / 3, 5 * b * b / 3 * sqrt(4 / (5 * n)));
            seen++;
        }

        if (strstr(list[i].name, "norm1.")) {
            CHECK(w[0] == (strstr(list[i].name, "weight") ? 1 : 0));
            seen++;
        }
    }

    CHECK(seen > 10);
    ddpm_model_close(m);
}

/* ---- files ---- */

static int read_file(struct dd_file *f, const char *path)
{
    ddpm_error err = { 0, "" };
    int code = dd_file_map(f, path, &err);
    if (code)
        check_fail(__FILE__, __LINE__, "%s", err.text);
    return code;
}

static int same_files(const char *a, const char *b)
{
    struct dd_file x, y;
    if (read_file(&x, a) || read_file(&y, b))
        return 0;
    int same = x.size == y.size && !memcmp(x.data, y.data, x.size);
    dd_file_unmap(&x);
    dd_file_unmap(&y);
    return same;
}

TEST(model, saving_and_opening_changes_nothing)
{
    const char *folder = check_folder();
    for (const struct small_net *s = small_nets; s->name; s++)
        for (unsigned half = 0; half <= DDPM_SAVE_F16; half += DDPM_SAVE_F16) {
            const char *one = check_path(folder, "%s-%u", s->name, half),
                       *two = check_path(folder, "%s-%u-again", s->name, half);
            ddpm_model *m = small_net_create(s->name), *opened = NULL;
            ddpm_error err = { 0, "" };
            const ddpm_tensor *a, *b;

            REQUIRE(m && ddpm_model_save(m, one, half, &err) == DDPM_OK &&
                    ddpm_model_open(&opened, one, &err) == DDPM_OK);
            size_t n = ddpm_model_tensors(m, &a);
            CHECK(ddpm_model_tensors(opened, &b) == n);

            for (size_t i = 0; i < n; i++) {
                CHECK_TEXT(a[i].name, b[i].name);
                CHECK(b[i].dtype == (half && a[i].rank >= 2 ? DDPM_F16 : a[i].dtype));
                CHECK(a[i].dtype != b[i].dtype ||
                      ((const float *)a[i].data)[0] == ((const float *)b[i].data)[0]);
            }

            CHECK(strlen(ddpm_model_about(opened)->id) == 64 && ddpm_model_check(opened, &err) == DDPM_OK);
            CHECK(ddpm_model_save(opened, two, half, &err) == DDPM_OK && same_files(one, two));

            ddpm_model_close(m);
            ddpm_model_close(opened);
        }
}

/* Half weights are what they were after they have been widened. */
TEST(model, from_half_to_float_and_back)
{
    const char *folder = check_folder(), *half = check_path(folder, "half"),
               *whole = check_path(folder, "float");
    const char *again = check_path(folder, "again");
    ddpm_model *m = small_net_create("turns"), *h = NULL, *f = NULL;
    ddpm_error err = { 0, "" };
    REQUIRE(m && ddpm_model_save(m, half, DDPM_SAVE_F16, &err) == DDPM_OK &&
            ddpm_model_open(&h, half, &err) == DDPM_OK);
    REQUIRE(ddpm_model_save(h, whole, 0, &err) == DDPM_OK && ddpm_model_open(&f, whole, &err) == DDPM_OK);
    CHECK(ddpm_model_save(f, again, DDPM_SAVE_F16, &err) == DDPM_OK && same_files(half, again));
    ddpm_model_close(m);
    ddpm_model_close(h);
    ddpm_model_close(f);
}

static ddpm_tensor *tensor(ddpm_model *m, const char *name)
{
    const ddpm_tensor *list;
    for (size_t n = ddpm_model_tensors(m, &list), i = 0; i < n; i++)
        if (!strcmp(list[i].name, name))
            return (ddpm_tensor *)(uintptr_t)&list[i];
    return NULL;
}

static void save_refused(ddpm_model *m, unsigned flags, const char *says)
{
    const char *path = check_path(check_folder(), "model");
    ddpm_error err = { 0, "" };
    if (ddpm_model_save(m, path, flags, &err) != DDPM_EDATA || !strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, says);
    FILE *f = fopen(path, "rb");
    CHECK(!f);
}

TEST(model, weights_and_schedules_that_are_refused)
{
    ddpm_model *m = small_net_create("plain");
    REQUIRE(m);
    float *w = tensor(m, "conv_in.weight")->data;
    double *beta = tensor(m, "schedule.beta")->data, *alpha_bar = tensor(m, "schedule.alpha_bar")->data;

    w[5] = -INFINITY;
    save_refused(m, 0, "tensor conv_in.weight: element 5 is NaN or infinite");

    w[5] = 70000;
    save_refused(m, DDPM_SAVE_F16, "tensor conv_in.weight: element 5 is 70000, too large for float16");
    w[5] = 0;

    beta[3] = 0;
    save_refused(m, 0, "schedule.beta[3] is 0, expected between 0 and 1");
    beta[3] = 0.01;

    alpha_bar[700] = alpha_bar[699];
    save_refused(m, 0, "schedule.alpha_bar[700] is");
    alpha_bar[700] = (alpha_bar[699] + alpha_bar[701]) / 2;

    alpha_bar[999] = 0;
    beta[999] = 1;
    save_refused(m, 0, "schedule.alpha_bar[999] is 0: eps cannot be predicted from pure noise");

    ddpm_model_close(m);
}

TEST(model, an_unknown_schedule_is_left_to_the_caller)
{
    char json[4096];
    ddpm_error err;
    ddpm_model *m;
    small_net_json(json, sizeof json, "plain");
    replace(json, sizeof json, "linear:1e-4,0.02", "custom");
    REQUIRE(ddpm_model_create(&m, json, &err) == DDPM_OK);
    CHECK(ddpm_model_about(m)->beta[0] == 0 && ddpm_model_about(m)->alpha_bar[999] == 0);
    save_refused(m, 0, "schedule.beta[0] is 0");
    ddpm_model_close(m);
}

/* A schedule of zero terminal SNR is refused only where eps is predicted. */
TEST(model, a_last_alpha_bar_of_zero)
{
    char json[4096];
    const char *path = check_path(check_folder(), "model");
    ddpm_error err;
    ddpm_model *m, *opened = NULL;
    small_net_json(json, sizeof json, "plain");
    replace(json, sizeof json, "\"eps\", \"variance\"", "\"v\", \"variance\"");
    REQUIRE(ddpm_model_create(&m, json, &err) == DDPM_OK);
    ddpm_model_init(m, 0);
    ((double *)tensor(m, "schedule.beta")->data)[999] = 1;
    ((double *)tensor(m, "schedule.alpha_bar")->data)[999] = 0;
    CHECK(ddpm_model_save(m, path, 0, &err) == DDPM_OK && ddpm_model_open(&opened, path, &err) == DDPM_OK);
    ddpm_model_close(m);
    ddpm_model_close(opened);
}

/* A saved model in memory. Its tensors and metadata may be spoilt, then it is written again and opened. */
struct spoilt {
    struct dd_file file;
    struct dd_safetensors s;
    const char *meta[5];
    char *bytes;
    size_t size;
};

static int spoil_begin(struct spoilt *p, const char *net)
{
    const char *path = check_path(check_folder(), "model");
    ddpm_error err;
    ddpm_model *m = small_net_create(net);
    if (!m || ddpm_model_save(m, path, 0, &err) || read_file(&p->file, path) ||
        dd_safetensors_read(&p->s, p->file.data, p->file.size, path, &err))
        return -1;
    p->meta[0] = "ddpm";
    p->meta[1] = dd_safetensors_meta(&p->s, "ddpm");
    p->meta[2] = "format";
    p->meta[3] = "ddpm";
    p->meta[4] = NULL;
    ddpm_model_close(m);
    return 0;
}

static void spoil_end(struct spoilt *p)
{
    dd_safetensors_free(&p->s);
    dd_file_unmap(&p->file);
}

static void spoilt_refused(struct spoilt *p, const char *says)
{
    char *bytes;
    size_t size;
    ddpm_error err = { 0, "" };
    ddpm_model *m;
    FILE *f = dd_system_scratch();
    CHECK(dd_safetensors_write(f, p->s.entry, p->s.entries, p->meta, &err) == DDPM_OK);
    bytes = check_written(f, &size);
    if (ddpm_model_open_memory(&m, bytes, size, &err) != DDPM_EDATA || m || !strstr(err.text, says))
        check_fail(__FILE__, __LINE__, "\"%s\" does not say \"%s\"", err.text, says);
    free(bytes);
}

static struct dd_entry *entry(struct spoilt *p, const char *name)
{
    return (struct dd_entry *)(uintptr_t)dd_safetensors_find(&p->s, name);
}

TEST(model, files_with_wrong_tensors)
{
    struct spoilt p;

    REQUIRE(spoil_begin(&p, "plain") == 0);
    struct dd_entry *bias = entry(&p, "conv_in.bias"), keep = *bias;

    bias->name = "conv_in.bia"; /* it keeps its place in the order of names */
    spoilt_refused(&p, "2 tensors do not fit: conv_in.bias is missing, conv_in.bia is not expected");
    *bias = keep;

    bias->rank = 2;
    bias->dim[0] = bias->dim[1] = 2;
    spoilt_refused(&p, "1 tensor does not fit: conv_in.bias is [2,2] where [4] is expected");
    *bias = keep;

    bias->dtype = DD_F16;
    bias->size /= 2;
    spoilt_refused(&p, "conv_in.bias is F16 where F32 is expected");
    *bias = keep;

    bias->dtype = DD_I32;
    spoilt_refused(&p, "conv_in.bias is I32 where F32 is expected");
    *bias = keep;

    for (int i = 0; i < 40; i++)
        p.s.entry[i].rank = 0, p.s.entry[i].size = 4, p.s.entry[i].dtype = DD_F32;
    spoilt_refused(&p, "40 tensors do not fit: conv_in.bias is [] where [4] is expected, conv_in.weight is "
                       "[] where [4,3,3,3] is expected, "
                       "conv_norm_out.bias is [] where [4] is expected, ...");

    spoil_end(&p);
}

TEST(model, files_with_wrong_metadata)
{
    struct spoilt p;
    REQUIRE(spoil_begin(&p, "plain") == 0);
    const char *json = p.meta[1];
    char text[4096];

    p.meta[3] = "pt";
    spoilt_refused(&p, "is no model file of ddpm");
    p.meta[3] = "ddpm";

    p.meta[1] = "{\"version\": 1}";
    spoilt_refused(&p, "net: missing");

    snprintf(text, sizeof text, "%s", json);
    replace(text, sizeof text, "\"id\":\"", "\"id\":\"x");
    p.meta[1] = text;
    spoilt_refused(&p, "id: \"x");

    snprintf(text, sizeof text, "%s", json);
    replace(text, sizeof text, "\"blocks\":1", "\"blocks\":2");
    p.meta[1] = text;
    spoilt_refused(&p, "down_blocks.0.resnets.1.conv1.bias is missing");

    snprintf(text, sizeof text, "%s", json);
    replace(text, sizeof text, "\"source\":", "\"stats\":{\"images\":3},\"source\":");
    p.meta[1] = text;
    spoilt_refused(&p, "2 tensors do not fit: stats.gamma is missing, stats.mse is missing");

    spoil_end(&p);
}

TEST(model, a_changed_number_changes_the_id)
{
    struct spoilt p;
    ddpm_error err;
    ddpm_model *m;

    REQUIRE(spoil_begin(&p, "plain") == 0);
    char *bytes = malloc(p.file.size + 1);
    memcpy(bytes, p.file.data, p.file.size);

    /* The data lie at the end of the file. */
    bytes[p.file.size - 4] ^= 1;
    CHECK(ddpm_model_open_memory(&m, bytes, p.file.size, &err) == DDPM_OK);
    CHECK(ddpm_model_check(m, &err) == DDPM_EDATA && strstr(err.text, "id says"));
    ddpm_model_close(m);

    memmove(bytes + 1, p.file.data, p.file.size); /* now aligned to nothing */
    REQUIRE(ddpm_model_open_memory(&m, bytes + 1, p.file.size, &err) == DDPM_OK);
    CHECK(ddpm_model_check(m, &err) == DDPM_OK);
    ddpm_model_close(m);

    free(bytes);
    spoil_end(&p);
}

TEST(model, files_that_are_cut_off_or_not_there)
{
    struct spoilt p;
    ddpm_error err;
    ddpm_model *m;
    REQUIRE(spoil_begin(&p, "plain") == 0);
    for (size_t size = 0; size < p.file.size; size += size < 64 ? 1 : 997)
        CHECK(ddpm_model_open_memory(&m, p.file.data, size, &err) == DDPM_EDATA && !m);
    CHECK(ddpm_model_open(&m, check_path(check_folder(), "none"), &err) == DDPM_EMISSING && !m);
    CHECK(ddpm_model_open(&m, check_folder(), &err) == DDPM_EDATA && !m);
    spoil_end(&p);
}
