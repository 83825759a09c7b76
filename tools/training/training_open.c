/* Opens a training in this order: the checks of the options, the network, every image once, the checkpoint to
   go on from, the trainer.  So what can fail fails before the first step. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/dtype.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/scan.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/interrupt.h"
#include "training/training.h"

/* If nothing else is asked for, one in HELD_OUT_PART images is held out, but at most HELD_OUT_MOST. */
enum { HELD_OUT_MOST = 128, HELD_OUT_PART = 20 };

static int make_model(struct training *t, ddpm_error *err)
{
    char *text = training_plan_model(&t->plan, t->name, t->sha256, t->s->fit,
                                     t->data.how.color ? view_color_names()[t->s->color] : NULL);
    ddpm_model *m = NULL;
    int code = text ? ddpm_model_create(&m, text, err) : dd_error_memory(err, t->name);

    cJSON_free(text);
    if (code)
        return code == DDPM_EDATA && !t->s->config.count ? err->code = DDPM_EUSAGE : code;
    ddpm_model_close(t->model);
    t->model = m;
    t->data.about = t->about = ddpm_model_about(m);
    return DDPM_OK;
}

/* Puts the names of the classes into the plan, from where they go into the model: those of the folders, or
   else those of --init.  A class without a folder is called by its number. */
static int name_classes(struct training *t, const cJSON *init, ddpm_error *err)
{
    const cJSON *net = cJSON_GetObjectItemCaseSensitive(t->plan.root, "net");
    const cJSON *given = cJSON_GetObjectItemCaseSensitive(init, "class_names");
    const struct image_folder *f = &t->data.folder;
    int classes = (int)cJSON_GetNumberValue(cJSON_GetObjectItemCaseSensitive(net, "classes"));
    bool folders = classes > 0 && f->classes > 0 && f->classes <= classes;
    if (!folders && (classes <= 0 || cJSON_GetArraySize(given) != classes))
        return DDPM_OK;

    cJSON *names = folders ? cJSON_CreateArray() : cJSON_Duplicate(given, 1);
    for (int i = 0; i < classes && folders; i++) {
        char name[64];
        snprintf(name, sizeof name, "%d", i);
        if (i < f->classes)
            image_folder_class(name, sizeof name, f, i);
        cJSON_AddItemToArray(names, cJSON_CreateString(name));
    }
    if (cJSON_GetArraySize(names) == classes && cJSON_AddItemToObject(t->plan.root, "class_names", names))
        return DDPM_OK;
    cJSON_Delete(names);
    return dd_error_memory(err, t->name);
}

/* Reads the plan of the training, and makes the model for it. */
static int read_plan(struct training *t, const ddpm_model *init, ddpm_error *err)
{
    const struct train_settings *s = t->s;
    struct training_plan_sources from = { .preset = s->preset, .config = &s->config, .set = &s->set };
    int code = dataset_shape(&t->data, from.shape, err);
    if (code)
        return code;

    /* Photographs in a folder have all sizes; 32 x 32 is small enough for a first training. */
    for (int i = 0; i < 2 && t->data.folder.files; i++)
        from.shape[i] = 32;
    cJSON *root = init ? cJSON_Parse(ddpm_model_about(init)->json) : NULL;
    from.init = root;
    code = training_plan_read(&t->plan, &from, err);
    if (!code)
        code = name_classes(t, root, err);
    cJSON_Delete(root);
    if (!code && t->plan.cosine && !s->steps)
        code = dd_error(err, DDPM_EUSAGE, "lr_schedule=cosine ends at a step: add --steps N");
    t->plan.options.seed = s->seed;
    t->plan.options.steps = t->plan.cosine ? s->steps : 0;
    t->plan.options.threads = (int)s->common.threads;
    t->plan.options.cpu = s->common.cpu;
    t->plan.options.conv = s->common.conv;
    return code ? code : make_model(t, err);
}

/* ---- the images ---- */

static void tell_bad(void *user, const ddpm_error *why)
{
    struct training *t = ((void **)user)[0];
    t->skipped++;
    remark(t->command, &t->s->common, "%s: skipped", why->text);
}

static void tell_note(void *user, const char *line)
{
    const struct training *t = user;
    remark(t->command, &t->s->common, "%s", line);
}

/* Adds an image and its class to the hash of the data, and keeps its checksum. */
static int take_image(void *user, const double *x, size_t k)
{
    struct training *t = ((void **)user)[0];
    struct dd_hash *h = ((void **)user)[1];
    size_t d = (size_t)t->about->height * (size_t)t->about->width * (size_t)t->about->channels;
    int32_t class = dataset_class(&t->data, k);

    t->check[t->data.index[k]] = epoch_checksum(x, d);
    for (size_t e = 0; e < d; e++) {
        float v = (float)x[e];
        dd_hash_add(h, &v, sizeof v);
    }
    dd_hash_add(h, &class, sizeof class);
    progress_at(&t->progress, (double)(k + 1));
    return interrupted != 0;
}

/* Reads every image once. */
static int check_images(struct training *t, ddpm_error *err)
{
    struct dd_hash h;
    void *user[2] = { t, &h };

    t->check = calloc(t->data.count, sizeof *t->check);
    int code = t->check ? DDPM_OK : dd_error_memory(err, t->name);
    if (!code)
        code = dataset_keep(&t->data, (size_t)t->s->cache << 20, err);
    if (!code && dd_hash_begin(&h))
        code = dd_error_memory(err, t->name);
    if (code)
        return code;

    progress_begin(&t->progress, &t->s->common, "images read", (double)t->data.count);
    code = dataset_check(&t->data, t->s->skip_bad ? tell_bad : NULL, take_image, user, err);
    progress_clear(&t->progress);
    dd_hash_end(&h, t->sha256);

    if (!code)
        code = dataset_check_classes(&t->data, -1,
                                     "leave net.classes at 0, or set it to as many as there are", err);
    return code;
}

static size_t held_out(const struct training *t)
{
    size_t part = t->data.count / HELD_OUT_PART;

    if (t->s->held_out >= 0)
        return (size_t)t->s->held_out;
    return part < HELD_OUT_MOST ? part : HELD_OUT_MOST;
}

/* Holds out the last images of a random order.  Both parts keep the order of the data. */
static int split(struct training *t, ddpm_error *err)
{
    size_t n = t->data.count, held = held_out(t), used = 0, out = 0;

    if (held >= n)
        return dd_error(err, DDPM_EUSAGE,
                        "--holdout %zu: %s holds %zu images, and some must be left to train with", held,
                        t->name, n);
    if (!held && t->s->converged)
        return dd_error(err, DDPM_EUSAGE, "--until-converged needs images to measure on: add --holdout N");

    uint32_t *order = malloc(n * sizeof *order), *index = malloc(n * sizeof *index);
    bool *is_held = calloc(n, sizeof *is_held);
    if (order && index && is_held) {
        epoch_order(order, n, t->s->seed, (uint32_t)EPOCH_SPLIT);
        for (size_t i = n - held; i < n; i++)
            is_held[order[i]] = true;
        for (size_t i = 0; i < n; i++)
            index[is_held[i] ? n - held + out++ : used++] = t->data.index[i];

        memcpy(t->data.index, index, n * sizeof *index);
        t->used = t->held = t->data;
        t->used.count = n - held;
        t->held.count = held;
        t->held.index += n - held;
    }
    int code = order && index && is_held ? DDPM_OK : dd_error_memory(err, t->name);
    free(order);
    free(index);
    free(is_held);
    return code;
}

/* ---- weights and settings of the trainer ---- */

static void copy_numbers(void *to, const ddpm_tensor *from, size_t count)
{
    if (from->dtype == DDPM_F16)
        dd_dtype_to_float(to, from->data, DD_F16, count);
    else
        memcpy(to, from->data, count * (from->dtype == DDPM_F64 ? 8 : 4));
}

/* Says whether `to` is the table of classes `from` with one row more, that of the null class. */
static bool adds_null_class(const ddpm_tensor *to, const ddpm_tensor *from, const ddpm_about *a)
{
    return a->null_class && to->rank == 2 && from->rank == 2 && to->dim[0] == a->classes + 1 &&
           from->dim[0] == a->classes && to->dim[1] == from->dim[1] && strstr(to->name, "class");
}

/* Copies a table of classes.  The null class begins as their mean, so that the network still knows what it
   is given. */
static void copy_classes(float *table, const ddpm_tensor *from)
{
    size_t rows = (size_t)from->dim[0], width = (size_t)from->dim[1];
    float *none = table + rows * width;

    copy_numbers(table, from, rows * width);
    for (size_t e = 0; e < width; e++) {
        double sum = 0;
        for (size_t row = 0; row < rows; row++)
            sum += table[row * width + e];
        none[e] = (float)(sum / (double)rows);
    }
}

/* Copies the tensors of --init.  Both models list their tensors in order of names. */
static int copy_weights(ddpm_model *to, const ddpm_model *from, const char *path, ddpm_error *err)
{
    const ddpm_tensor *a, *b;
    size_t n = ddpm_model_tensors(to, &a), m = ddpm_model_tensors(from, &b), k = 0;

    for (size_t i = 0; i < n; i++) {
        int64_t count = 1;
        while (k < m && strcmp(b[k].name, a[i].name) < 0)
            k++;
        bool same = k < m && !strcmp(b[k].name, a[i].name) && b[k].rank == a[i].rank &&
                    !memcmp(b[k].dim, a[i].dim, sizeof a[i].dim);

        /* The schedule may be another one: only weights are copied. */
        if (!same && !strncmp(a[i].name, "schedule.", 9))
            continue;
        if (!same && k < m && !strcmp(b[k].name, a[i].name) &&
            adds_null_class(&a[i], &b[k], ddpm_model_about(to))) {
            copy_classes(a[i].data, &b[k]);
            continue;
        }
        if (!same)
            return dd_error(err, DDPM_EUSAGE, "--init %s: its %s does not fit the network that is asked for",
                            path, a[i].name);

        for (int r = 0; r < a[i].rank; r++)
            count *= a[i].dim[r];
        copy_numbers(a[i].data, &b[k], (size_t)count);
    }
    return DDPM_OK;
}

/* Fills t->run with the settings on which the bits of the weights depend.  Checkpoints add the progress to
   it. */
static bool fill_run(struct training *t, const char *engine_class)
{
    char seed[24];
    cJSON *o = t->run = cJSON_CreateObject(),
          *settings = cJSON_Duplicate(cJSON_GetObjectItemCaseSensitive(t->plan.root, "train"), 1);

    if (!cJSON_AddItemToObject(o, "settings", settings)) {
        cJSON_Delete(settings);
        return false;
    }

    snprintf(seed, sizeof seed, "%llu", (unsigned long long)t->s->seed);
    cJSON *data = cJSON_AddObjectToObject(o, "data");
    return cJSON_AddStringToObject(settings, "seed", seed) &&
           (!t->plan.cosine || cJSON_AddNumberToObject(settings, "steps", (double)t->s->steps)) &&
           cJSON_AddStringToObject(data, "file", t->name) &&
           cJSON_AddNumberToObject(data, "images", (double)t->used.count) &&
           cJSON_AddNumberToObject(data, "held_out", (double)t->held.count) &&
           cJSON_AddStringToObject(data, "sha256", t->sha256) &&
           cJSON_AddStringToObject(o, "init", t->init_id) &&
           cJSON_AddStringToObject(o, "engine_class", engine_class);
}

static int describe_run(struct training *t, ddpm_error *err)
{
    ddpm_net *net = NULL;
    int code = model_net(&net, t->model, &t->s->common, 1, err);

    if (!code && !fill_run(t, ddpm_net_describe(net)->engine_class))
        code = dd_error_memory(err, t->name);
    ddpm_net_free(net);
    return code;
}

static int open_trainer(struct training *t, ddpm_error *err)
{
    int code = ddpm_trainer_create(&t->trainer, t->model, &t->plan.options, err);

    if (!code)
        code = stream_open(&t->stream, &t->used, t->check, t->s->seed, t->plan.flip, err);
    if (code)
        return code;

    t->images = (size_t)t->plan.options.batch * (size_t)t->plan.options.accumulate;
    t->x0 = malloc(t->images * t->stream.d * sizeof *t->x0);
    t->classes = malloc(t->images * sizeof *t->classes);
    return t->x0 && t->classes ? DDPM_OK : dd_error_memory(err, t->name);
}

/* Renames the folder of an earlier training, so that its work is kept. */
static int begin_anew(struct training *t, ddpm_error *err)
{
    char kept[4096];
    int code = training_folder_set_aside(&t->folder, kept, sizeof kept, err);
    if (!code && *kept)
        remark(t->command, &t->s->common, "what was in %s is kept in %s", t->folder.path, kept);
    return code;
}

static int open_init(struct training *t, ddpm_model **init, ddpm_error *err)
{
    int code = t->s->init ? model_open_whole(init, t->s->init, err) : DDPM_OK;
    if (!code && *init)
        code = image_size_apply(*init, t->s->size, NULL, t->command, &t->s->common, err);
    if (!code && *init)
        memcpy(t->init_id, ddpm_model_about(*init)->id, sizeof t->init_id);
    return code;
}

/* Opens everything that the first step needs. */
static int begin(struct training *t, ddpm_error *err)
{
    int code = open_trainer(t, err);

    if (!code && t->saved < 0)
        code = begin_anew(t, err);
    if (!code)
        code = training_log_open(&t->log, training_folder_path(&t->folder, "log.jsonl"), t->saved, err);
    if (t->s->common.json)
        t->log.echo = stdout;
    if (!code)
        dataset_notes(&t->data, tell_note, t);
    return code;
}

/* Opens everything in order; see the head of the file. */
static int prepare(struct training *t, const ddpm_model *init, ddpm_error *err)
{
    int code = read_plan(t, init, err);
    if (!code)
        code = check_images(t, err);
    if (!code)
        code = split(t, err);

    /* The model's metadata hold the hash of the data, which is known only now: the model is made again. */
    if (!code)
        code = make_model(t, err);
    if (code)
        return code;

    t->used.about = t->held.about = t->about;
    ddpm_model_init(t->model, t->s->seed);
    if (init)
        code = copy_weights(t->model, init, t->s->init, err);
    if (!code)
        code = describe_run(t, err);
    if (!code)
        code = training_folder_open(&t->folder, t->s->output, err);
    if (!code)
        code = training_resume(t, err);
    if (!code)
        code = training_output_find(t, err);
    return code || t->done ? code : begin(t, err);
}

static int open_data(struct training *t, const char *path, ddpm_error *err)
{
    const struct train_settings *s = t->s;
    struct view_how how;
    int code = view_how_read(&how, s->fit, s->gray, s->color, err);
    how.trained = true;
    return code ? code : dataset_open(&t->data, path, NULL, &how, (size_t)s->images, err);
}

int training_open(struct training *t, const char *path, ddpm_error *err)
{
    ddpm_model *init = NULL;
    const char *slash = strrchr(path, '/');

    snprintf(t->name, sizeof t->name, "%s", slash && slash[1] ? slash + 1 : path);
    dd_scan_repair(t->name);
    t->folder.lock = folder_not_locked;
    t->best = INFINITY;
    t->saved = -1;

    int code = training_output_check(t, err);
    if (!code)
        code = open_data(t, path, err);
    if (!code)
        code = open_init(t, &init, err);
    if (!code)
        code = prepare(t, init, err);
    ddpm_model_close(init);
    return code;
}

void training_close(struct training *t)
{
    training_log_close(&t->log);
    stream_close(&t->stream);
    ddpm_trainer_free(t->trainer);
    training_folder_close(&t->folder);
    cJSON_Delete(t->run);
    training_plan_free(&t->plan);
    ddpm_model_close(t->model);
    dataset_close(&t->data);
    free(t->check);
    free(t->x0);
    free(t->classes);
}
