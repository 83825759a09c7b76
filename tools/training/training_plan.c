/* Gathers the settings of a training.  Settings that nobody has made follow from others:

     net.init, net.time.dim      net.widths[0]
     net.time.hidden             4 net.widths[0]
     net.outputs                 the channels, twice as many with a learned variance
     train.loss                  hybrid with a learned variance, else simple
     net.null_class              true with train.class_dropout
     net.height, .width, .channels   those of the data

   Arch "ddpm" has one head of attention at the levels whose side is 9 to 16 pixels and in the middle, "conv"
   between all levels, and norm.mid_attention = norm.groups.  Arch "lucid" has full attention at the last
   level and linear attention at the others, as the code of lucidrains. */
#include "training/training_plan.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scan.h"

/* The settings that hold if no preset, file or option says otherwise. */
static const char basis[] = "{\"net\":{\"arch\":\"ddpm\",\"classes\":0,\"time\":{\"order\":\"sin,cos\"}},"
                            "\"diffusion\":{\"steps\":1000,\"name\":\"linear:1e-4,0.02\",\"prediction\":"
                            "\"eps\",\"variance\":\"beta\",\"clip\":1,\"t_scale\":1},"
                            "\"train\":{\"batch\":64,\"accumulate\":1,\"min_snr\":0,\"beta1\":0.9,\"beta2\":"
                            "0.999,\"epsilon\":1e-8,\"decay\":0,\"clip\":1,"
                            "\"lr_schedule\":\"constant\",\"flip\":false}}";

/* The keys that only one architecture has.  Those of "lucid" have the defaults of lucidrains' code. */
static const char ddpm_basis[] = "{\"net\":{\"mid\":true,\"act\":\"silu\",\"heads\":{\"dim\":0},\"norm\":{"
                                 "\"eps\":1e-6},\"scale_shift\":false,\"pad\":\"right\",\"mid_scale\":1,"
                                 "\"center\":false,\"dropout\":0}}";
static const char lucid_basis[] = "{\"net\":{\"arch\":\"lucid\",\"heads\":4,\"dim\":32,\"memory\":4}}";

/* The preset cifar10 is the network and the training of Ho et al. 2020 for CIFAR-10, with the batch of 128 in
   eight passes.  `ddpm` has the keys that only arch "ddpm" has. */
static const struct {
    const char *name, *text, *ddpm;
} presets[] = {
    { "tiny", "{\"net\":{\"widths\":[32,64,64]},\"train\":{\"lr\":1e-3,\"warmup\":100,\"ema\":0.999}}",
      "{\"net\":{\"blocks\":1,\"norm\":{\"groups\":8}}}" },
    { "small", "{\"net\":{\"widths\":[64,128,128]},\"train\":{\"lr\":5e-4,\"warmup\":500,\"ema\":0.9995}}",
      "{\"net\":{\"blocks\":2,\"norm\":{\"groups\":16}}}" },
    { "cifar10",
      "{\"net\":{\"widths\":[128,256,256,256]},\"train\":{\"batch\":16,\"accumulate\":8,\"lr\":2e-4,"
      "\"warmup\":5000,\"ema\":0.9999,\"flip\":true}}",
      "{\"net\":{\"blocks\":2,\"norm\":{\"groups\":32},\"dropout\":0.1}}" },
};

enum { PRESETS = sizeof presets / sizeof *presets };

const char *const *training_presets(void)
{
    static const char *names[PRESETS + 1];
    for (int i = 0; i < PRESETS; i++)
        names[i] = presets[i].name;
    return names;
}

static cJSON *member(const cJSON *object, const char *key)
{
    return cJSON_GetObjectItemCaseSensitive(object, key);
}

/* Sets object[key] to value and takes ownership of it.  value may be NULL: out of memory.  The value gets its
   name here, as cJSON's own replacing does not report that it had no memory for the name. */
static int put(cJSON *object, const char *key, cJSON *value, ddpm_error *err)
{
    cJSON *old = member(object, key);
    bool done = value && old && (value->string || (value->string = strdup(key)));

    if (done)
        done = cJSON_ReplaceItemViaPointer(object, old, value);
    else if (value && !old)
        done = cJSON_AddItemToObject(object, key, value);
    if (!done)
        cJSON_Delete(value);
    return done ? DDPM_OK : dd_error_memory(err, "the settings of the training");
}

/* Copies every member of `from` into `into`; a member that is an object in both is merged. */
static int merge(cJSON *into, const cJSON *from, ddpm_error *err)
{
    int code = DDPM_OK;

    for (const cJSON *f = from ? from->child : NULL; f && !code; f = f->next) {
        cJSON *old = member(into, f->string);
        if (cJSON_IsObject(f) && cJSON_IsObject(old))
            code = merge(old, f, err);
        else
            code = put(into, f->string, cJSON_Duplicate(f, 1), err);
    }
    return code;
}

static int merge_text(cJSON *root, const char *text, ddpm_error *err)
{
    cJSON *from = cJSON_Parse(text);
    int code = from ? merge(root, from, err) : dd_error_memory(err, "the settings of the training");
    cJSON_Delete(from);
    return code;
}

static int check_sections(const cJSON *from, const char *path, ddpm_error *err)
{
    for (const cJSON *f = from->child; f; f = f->next)
        if (strcmp(f->string, "net") && strcmp(f->string, "diffusion") && strcmp(f->string, "train"))
            return dd_error(err, DDPM_EDATA,
                            "%s: %.60s stands outside of net, diffusion and train, which hold all keys", path,
                            f->string);
        else if (!cJSON_IsObject(f))
            return dd_error(err, DDPM_EDATA, "%s: %s: expected an object of KEY: VALUE", path, f->string);
    return DDPM_OK;
}

static int merge_file(cJSON *root, const char *path, ddpm_error *err)
{
    struct dd_file f;
    cJSON *from = NULL;
    int code = dd_file_map(&f, path, err);

    if (!code)
        code = dd_json_parse(&from, (const char *)f.data, f.size, path, err);
    if (!code && !cJSON_IsObject(from))
        code = dd_error(err, DDPM_EDATA, "%s: expected a JSON object with net, diffusion or train", path);
    if (!code)
        code = check_sections(from, path, err);
    if (!code)
        code = merge(root, from, err);
    cJSON_Delete(from);
    dd_file_unmap(&f);
    return code;
}

/* Returns the value that a text stands for: a number, true or false, a list such as "32,64,64", or else the
   text itself.  NULL: out of memory. */
static cJSON *value_of(const char *text)
{
    size_t n = strlen(text) + 3;
    char *listed = malloc(n), *end;

    if (!listed)
        return NULL;

    /* In brackets every form is a JSON list; a list of one is the value itself. */
    snprintf(listed, n, "[%s]", text);
    cJSON *list = cJSON_Parse(listed), *value = NULL;
    free(listed);
    if (list && cJSON_GetArraySize(list) == 1) {
        value = cJSON_DetachItemFromArray(list, 0);
        cJSON_Delete(list);
    } else {
        value = list;
    }

    /* cJSON skips spaces, so "1 " would be a number; here it is a text. */
    strtod(text, &end);
    if (value && (!cJSON_IsNumber(value) || !*end))
        return value;
    cJSON_Delete(value);
    return cJSON_CreateString(text);
}

/* Sets the value of KEY=VALUE.  A key without a section belongs to "train". */
static int set(cJSON *root, const char *pair, ddpm_error *err)
{
    const char *equals = strchr(pair, '=');

    if (!equals || equals == pair || equals - pair > 60)
        return dd_error(
            err, DDPM_EUSAGE,
            "--set %.60s: expected KEY=VALUE, such as --set batch=32 or --set net.widths=32,64,64", pair);
    if (!dd_scan_is_utf8(pair))
        return dd_error(err, DDPM_EUSAGE, "--set %.60s: is no valid UTF-8, which a model file holds", pair);

    /* Walks down the sections of a key such as net.norm.groups; `key` becomes its last word. */
    char path[64], *place;
    snprintf(path, sizeof path, "%.*s", (int)(equals - pair), pair);
    cJSON *object = strchr(path, '.') ? root : member(root, "train");
    char *key = strtok_r(path, ".", &place);
    for (char *next; key && (next = strtok_r(NULL, ".", &place)); key = next)
        if (!cJSON_IsObject(object = member(object, key)))
            return dd_error(
                err, DDPM_EUSAGE,
                "--set %.60s: there is no section %s; keys are those of a model file, and of train", pair,
                key);

    /* "train" has a fixed list of keys; other sections are checked when the network is made. */
    if (key && object != root &&
        (object != member(root, "train") || member(object, key) || !strcmp(key, "loss") ||
         !strcmp(key, "class_dropout")))
        return put(object, key, value_of(equals + 1), err);

    char list[300] = "";
    for (const cJSON *m = member(root, "train")->child; m; m = m->next)
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s, ", m->string);
    return dd_error(err, DDPM_EUSAGE,
                    "--set %.60s: choose from %sloss, class_dropout, or write net.KEY or diffusion.KEY", pair,
                    list);
}

/* ---- settings that follow from others ---- */

/* Sets object[key] to value unless it is set already; takes ownership of value. */
static int put_new(cJSON *object, const char *key, cJSON *value, ddpm_error *err)
{
    if (!member(object, key))
        return put(object, key, value, err);
    cJSON_Delete(value);
    return DDPM_OK;
}

static cJSON *same_texts(const char *text, int n)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateString(text));
    return list;
}

/* Returns the number of attention heads at each level; `pixels` is the side of the first level. */
static cJSON *heads(int pixels, int levels)
{
    cJSON *list = cJSON_CreateArray();
    for (int i = 0; i < levels; i++, pixels /= 2)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(pixels > 8 && pixels <= 16));
    return list;
}

/* Returns net[key] as a size, or 0 if it is no size; the reader of the network refuses it later. */
static int side(const cJSON *net, const char *key)
{
    double v = cJSON_GetNumberValue(member(net, key));
    return v > 0 && v <= INT32_MAX ? (int)v : 0;
}

/* Fills in the settings that follow from others in arch "ddpm". */
static int follow_ddpm(cJSON *net, ddpm_error *err)
{
    const cJSON *widths = member(net, "widths");
    cJSON *head = member(net, "heads"), *norm = member(net, "norm");
    int levels = cJSON_GetArraySize(widths), h = side(net, "height"), w = side(net, "width");
    int code = put_new(head, "down", heads(h > w ? h : w, levels), err);

    if (!code)
        code = put_new(head, "up", heads(h > w ? h : w, levels), err);
    if (!code)
        code = put_new(head, "mid", cJSON_CreateNumber(1), err);
    if (!code)
        code = put_new(norm, "mid_attention",
                       cJSON_CreateNumber(cJSON_GetNumberValue(member(norm, "groups"))), err);
    if (!code)
        code = put_new(net, "down", same_texts("conv", levels - 1), err);
    return code ? code : put_new(net, "up", same_texts("conv", levels - 1), err);
}

static int follow_lucid(cJSON *net, ddpm_error *err)
{
    cJSON *full = cJSON_CreateArray();
    for (int i = 1, levels = cJSON_GetArraySize(member(net, "widths")); i <= levels; i++)
        cJSON_AddItemToArray(full, cJSON_CreateNumber(i == levels));
    return put_new(net, "full", full, err);
}

static bool is_lucid(const cJSON *root)
{
    const char *arch = cJSON_GetStringValue(member(member(root, "net"), "arch"));
    return arch && !strcmp(arch, "lucid");
}

/* Adds the null class that class_dropout teaches. */
static int add_null_class(cJSON *net, ddpm_error *err)
{
    if (!(cJSON_GetNumberValue(member(net, "classes")) > 0))
        return dd_error(err, DDPM_EUSAGE,
                        "class_dropout leaves out the class of some images, but net.classes is 0: set it to "
                        "the number of classes, or leave class_dropout out");
    return put_new(net, "null_class", cJSON_CreateTrue(), err);
}

/* Fills in the settings that follow from others; see the head of the file. */
static int follow(cJSON *root, ddpm_error *err)
{
    cJSON *net = member(root, "net"), *time = member(net, "time"), *train = member(root, "train");
    const char *variance = cJSON_GetStringValue(member(member(root, "diffusion"), "variance"));
    bool learned = variance && !strncmp(variance, "learned", 7);

    if (!cJSON_IsArray(member(net, "widths")) && cJSON_IsNumber(member(net, "widths"))) {
        double one = cJSON_GetNumberValue(member(net, "widths"));
        if (put(net, "widths", cJSON_CreateDoubleArray(&one, 1), err))
            return err->code;
    }

    double first = cJSON_GetNumberValue(cJSON_GetArrayItem(member(net, "widths"), 0)),
           c = cJSON_GetNumberValue(member(net, "channels"));
    int code = put_new(net, "init", cJSON_CreateNumber(first), err);
    if (!code)
        code = put_new(time, "dim", cJSON_CreateNumber(first), err);
    if (!code)
        code = put_new(time, "hidden", cJSON_CreateNumber(4 * first), err);
    if (!code)
        code = put_new(net, "outputs", cJSON_CreateNumber(learned ? 2 * c : c), err);
    if (!code)
        code = put_new(train, "loss", cJSON_CreateString(learned ? "hybrid" : "simple"), err);
    if (!code && cJSON_GetNumberValue(member(train, "class_dropout")) > 0)
        code = add_null_class(net, err);
    if (code)
        return code;
    return is_lucid(root) ? follow_lucid(net, err) : follow_ddpm(net, err);
}

/* ---- the trainer's options ---- */

/* Reads "train" into the trainer's options. */
static int read_train(struct training_plan *p, ddpm_error *err)
{
    static const char *const schedules[] = { "constant", "cosine", NULL };
    ddpm_trainer_options *o = &p->options;
    struct dd_json j;

    ddpm_trainer_defaults(o);
    dd_json_begin(&j, member(p->root, "train"), "train", err);

    o->batch = dd_json_int(&j, "batch", 1, 1 << 16);
    o->accumulate = dd_json_int(&j, "accumulate", 1, 1 << 16);
    o->loss = dd_json_choice(&j, "loss", ddpm_loss_names());
    o->min_snr = dd_json_number(&j, "min_snr", 0, 1e6);
    if (dd_json_has(&j, "class_dropout"))
        o->class_dropout = dd_json_number(&j, "class_dropout", 0, 0.99);

    /* Adam, its learning rate, and the average of the weights. */
    o->rate = dd_json_number(&j, "lr", 0, 1e3);
    o->beta1 = dd_json_number(&j, "beta1", 0, 1);
    o->beta2 = dd_json_number(&j, "beta2", 0, 1);
    o->epsilon = dd_json_number(&j, "epsilon", 0, 1);
    o->decay = dd_json_number(&j, "decay", 0, 1e3);
    o->clip = dd_json_number(&j, "clip", 0, 1e9);
    o->warmup = dd_json_int(&j, "warmup", 0, INT32_MAX);
    o->ema = dd_json_number(&j, "ema", 0, 1);
    p->cosine = dd_json_choice(&j, "lr_schedule", schedules) == 1;

    p->flip = dd_json_bool(&j, "flip");
    return dd_json_end(&j);
}

static int take_shape(cJSON *net, const int shape[3], ddpm_error *err)
{
    static const char *const keys[] = { "height", "width", "channels" };
    int code = DDPM_OK;
    for (int i = 0; i < 3 && !code; i++)
        code = put_new(net, keys[i], cJSON_CreateNumber(shape[i]), err);
    return code;
}

/* Gathers the settings, beginning with the basis of an architecture; later sources win. */
static int gather(struct training_plan *p, const struct training_plan_sources *from, bool lucid,
                  ddpm_error *err)
{
    int k = 0;

    cJSON_Delete(p->root);
    p->root = cJSON_Parse(basis);
    while (strcmp(presets[k].name, from->preset))
        k++;

    int code = DDPM_OK;
    if (!p->root)
        code = dd_error_memory(err, "the settings of the training");
    if (!code)
        code = merge_text(p->root, lucid ? lucid_basis : ddpm_basis, err);
    if (!code)
        code = merge_text(p->root, presets[k].text, err);
    if (!code && !lucid)
        code = merge_text(p->root, presets[k].ddpm, err);
    if (!code && from->init)
        code = put(p->root, "net", cJSON_Duplicate(member(from->init, "net"), 1), err);
    if (!code && from->init)
        code = put(p->root, "diffusion", cJSON_Duplicate(member(from->init, "diffusion"), 1), err);

    for (int i = 0; i < from->config->count && !code; i++)
        code = merge_file(p->root, from->config->text[i], err);
    for (int i = 0; i < from->set->count && !code; i++)
        code = set(p->root, from->set->text[i], err);
    return code;
}

/* Gathers the settings of arch "ddpm"; if they turn out to choose "lucid", gathers them again upon its
   basis. */
static int read_all(struct training_plan *p, const struct training_plan_sources *from, ddpm_error *err)
{
    int code = gather(p, from, false, err);

    if (!code && is_lucid(p->root))
        code = gather(p, from, true, err);
    if (!code)
        code = take_shape(member(p->root, "net"), from->shape, err);
    if (!code)
        code = follow(p->root, err);
    return code ? code : read_train(p, err);
}

int training_plan_read(struct training_plan *p, const struct training_plan_sources *from, ddpm_error *err)
{
    *p = (struct training_plan){ .root = NULL };
    int code = read_all(p, from, err);
    if (code)
        training_plan_free(p);

    /* Without a --config file the wrong setting was on the command line. */
    if (code == DDPM_EDATA && !from->config->count)
        code = err->code = DDPM_EUSAGE;
    return code;
}

char *training_plan_model(const struct training_plan *p, const char *file, const char *sha256,
                          const char *fit, const char *colors)
{
    cJSON *root = cJSON_Duplicate(p->root, 1),
          *source = root ? cJSON_AddObjectToObject(root, "source") : NULL;

    cJSON_DeleteItemFromObjectCaseSensitive(root, "train");
    bool good =
        cJSON_AddNumberToObject(root, "version", 1) && cJSON_AddStringToObject(source, "family", "ddpm") &&
        cJSON_AddStringToObject(source, "file", file) && cJSON_AddStringToObject(source, "sha256", sha256) &&
        cJSON_AddStringToObject(source, "weights", "ema") &&
        cJSON_AddStringToObject(source, "program", "ddpm " DDPM_VERSION) &&
        (!fit || cJSON_AddStringToObject(source, "fit", fit)) &&
        (!colors || cJSON_AddStringToObject(source, "colors", colors));
    char *text = good ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    return text;
}

void training_plan_free(struct training_plan *p)
{
    cJSON_Delete(p->root);
    p->root = NULL;
}
