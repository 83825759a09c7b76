/* ddpm verify: reads the recipe in a PNG, makes its images again and compares every pixel.  The same
   engine class has to give the same pixels.  Another engine class, for example with another instruction
   set, may differ by two levels, and the user is told.  From a folder a random sample of the images is
   made again. */
#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/rng.h"
#include "base/system.h"
#include "image/film.h"
#include "sample/image_output.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/json_line.h"
#include "cli/options.h"
#include "outdir/shard_manifests.h"
#include "sample/generator.h"
#include "sample/start_image.h"

struct settings {
    struct common common;
    const char *model, *classifier, *from, *mask;
    int64_t batch, sample;
    uint64_t seed;
};
static const struct settings defaults = { .batch = 16, .sample = 8 };

/* Levels of 8 bits by which another engine class may differ.  A level of 8 bits is 257 of 16 bits. */
enum { OTHER_CLASS_LEVELS = 2 };

static int other_class_levels(const struct picture *p)
{
    return p->bytes == 2 ? OTHER_CLASS_LEVELS * 257 : OTHER_CLASS_LEVELS;
}

/* The things that all checks share.  Each check gives the model the size of its picture. */
struct run {
    const struct settings *s;
    ddpm_model *model, *classifier; /* classifier NULL: there is none */
    struct image_size own;          /* the model's size in its file */
};

/* Everything that the check of one picture needs. */
struct check {
    const char *path;
    struct picture found, made;
    char *text; /* the settings in the file */
    struct stored_recipe stored;
    struct layout layout;
    struct generator generator;
    bool other_class; /* it was made by another engine class than this run's */
};

/* Checks that this run has everything that the recipe needs. */
static int check_recipe(const struct check *c, const ddpm_about *a, const char *from, const char *mask,
                        ddpm_error *err)
{
    if (!*c->stored.recipe.model)
        return dd_error(err, DDPM_EMISSING,
                        "%s: was made by ddpm train of the weights of that moment, which "
                        "no model is known to have: it cannot be made again",
                        c->path);
    if (strcmp(c->stored.recipe.model, a->id))
        return dd_error(err, DDPM_EMISSING,
                        "%s was made by model %.12s..., this one is %.12s...: name its model with -m",
                        c->path, c->stored.recipe.model, a->id);
    if (*c->stored.recipe.noise)
        return dd_error(err, DDPM_EMISSING, "%s was made with --noise from a file, which is not at hand",
                        c->path);
    if (*c->stored.recipe.from && !from)
        return dd_error(err, DDPM_EMISSING, "%s was made from an image: name it with --from", c->path);
    if (c->stored.recipe.mask && !mask)
        return dd_error(err, DDPM_EMISSING, "%s was made with a mask: name it with --mask", c->path);
    return DDPM_OK;
}

/* Checks that the recipe's classifier is at hand, if it has one. */
static int check_classifier(const struct check *c, const ddpm_model *classifier, ddpm_error *err)
{
    const char *wanted = c->stored.recipe.classifier;
    if (wanted && !classifier)
        return dd_error(err, DDPM_EMISSING, "%s was made with a classifier: name it with --classifier",
                        c->path);
    if (wanted && strcmp(wanted, ddpm_model_about(classifier)->id))
        return dd_error(err, DDPM_EMISSING, "%s was made with classifier %.12s..., this one is %.12s...",
                        c->path, wanted, ddpm_model_about(classifier)->id);
    return DDPM_OK;
}

/* Gives the model the size of the picture's images. */
static int take_size(const struct run *r, const struct check *c, ddpm_error *err)
{
    struct image_size size = c->stored.recipe.size.width ? c->stored.recipe.size : r->own;
    int code = ddpm_model_resize(r->model, size.height, size.width, err);
    if (code == DDPM_EUSAGE)
        return dd_error(err, DDPM_EDATA, "%s: its settings ask for another network than that of the model",
                        c->path);
    return code;
}

/* Reads the picture and its recipe, and makes room for the picture that is made again. */
static int read_file(struct check *c, const struct run *r, ddpm_error *err)
{
    int code = picture_read(&c->found, &c->text, c->path, err);
    if (!code)
        code = recipe_read(&c->stored, c->text, c->path, err);
    if (!code)
        code = check_recipe(c, ddpm_model_about(r->model), r->s->from, r->s->mask, err);
    if (!code)
        code = check_classifier(c, r->classifier, err);
    if (!code)
        code = take_size(r, c, err);
    if (code)
        return code;

    const ddpm_about *a = ddpm_model_about(r->model);
    const struct image_format *format = image_format_named(c->stored.recipe.format);
    if (!format || !format->picture || format->bytes != c->found.bytes ||
        format->film != (c->found.frames > 0))
        return dd_error(
            err, DDPM_EDATA,
            "%s has %d bits a value%s and its settings say format %.20s: another program rewrote it", c->path,
            8 * c->found.bytes, c->found.frames ? " in a film" : "", c->stored.recipe.format);
    c->layout = layout_of(a, &c->stored.recipe, c->stored.n);
    code = layout_picture(&c->made, &c->layout, a, c->found.bytes, err);
    if (code)
        return code;

    int width = c->made.width * c->stored.recipe.scale, height = c->made.height * c->stored.recipe.scale;
    if (c->found.frames && !film_channels(&c->found, c->made.channels))
        return dd_error(
            err, DDPM_EDATA,
            "%s has colours or transparency, which images of %d channels have not: another program "
            "rewrote it",
            c->path, c->made.channels);
    if (c->found.frames != c->made.frames)
        return dd_error(err, DDPM_EDATA, "%s has %d frames, its settings give %d", c->path, c->found.frames,
                        c->made.frames);
    if (c->found.width != width || c->found.height != height || c->found.channels != c->made.channels)
        return dd_error(err, DDPM_EDATA, "%s: %d x %d pixels of %d channels, its settings give %d x %d of %d",
                        c->path, c->found.width, c->found.height, c->found.channels, width, height,
                        c->made.channels);
    return DDPM_OK;
}

static int take_image(void *user, int place, const double *frame, int lost, double seconds, ddpm_error *err)
{
    struct check *c = user;
    (void)seconds;
    (void)err;
    layout_put(&c->made, &c->layout, place, lost ? NULL : frame);
    return DDPM_OK;
}

/* Makes the images of the picture again. */
static int make_again(struct check *c, const struct run *r, ddpm_error *err)
{
    const struct settings *s = r->s;
    struct recipe again = c->stored.recipe;
    int batch = s->batch < c->stored.n ? (int)s->batch : c->stored.n;
    const struct generator_options o = {
        .model = r->model,
        .classifier = c->stored.recipe.classifier ? r->classifier : NULL,
        .command = &command_verify,
        .common = &s->common,
        .batch = batch,
        .from_path = *c->stored.recipe.from ? s->from : NULL,
        .mask_path = c->stored.recipe.mask ? s->mask : NULL,
    };
    int code = generator_open(&c->generator, &again, &o, err);
    if (code)
        return code;
    if (strcmp(again.from, c->stored.recipe.from))
        return dd_error(err, DDPM_EMISSING, "%s was made from another image than %s", c->path, s->from);

    if (again.mask && strcmp(again.mask, c->stored.recipe.mask))
        return dd_error(err, DDPM_EMISSING, "%s was made with another mask than %s", c->path, s->mask);

    c->other_class = strcmp(again.engine_class, c->stored.recipe.engine_class) != 0;
    if (c->other_class)
        remark(&command_verify, &s->common, "%s was made by %s, this is %s: %d levels are allowed", c->path,
               c->stored.recipe.engine_class, again.engine_class, other_class_levels(&c->found));
    return generator_run(&c->generator, c->stored.index, c->stored.n, take_image, c, err);
}

/* How two pictures differ: how many values they have, how many of them differ, and by how many levels at
   most. */
struct difference {
    size_t values, differ;
    int largest;
    bool same; /* they differ no more than their engine classes allow */
};

static void print_json(const struct check *c, const struct difference *d)
{
    cJSON *o = cJSON_CreateObject();
    cJSON_AddStringToObject(o, "file", c->path);
    cJSON_AddBoolToObject(o, "same", d->same);
    cJSON_AddNumberToObject(o, "values", (double)d->values);
    cJSON_AddNumberToObject(o, "differ", (double)d->differ);
    cJSON_AddNumberToObject(o, "largest", d->largest);
    cJSON_AddBoolToObject(o, "other_class", c->other_class);
    json_line(o);
}

/* Compares every value of the picture in the file with the pixel of scale 1 that it shows. */
static struct difference difference_of(const struct check *c)
{
    const struct picture *found = &c->found;
    size_t channels = (size_t)found->channels, row = (size_t)found->width * channels,
           scale = (size_t)c->stored.recipe.scale;
    struct difference d = { .values = (size_t)found->height * row };
    for (size_t i = 0; i < d.values; i++) {
        /* Pixel (y, x) of scale 1 is shown by scale x scale pixels. */
        size_t y = i / row / scale, x = i % row / channels / scale;
        size_t at = (y * (size_t)c->made.width + x) * channels + i % channels;
        int levels = abs(picture_level(&c->made, at) - picture_level(found, i));
        d.differ += levels != 0;
        d.largest = levels > d.largest ? levels : d.largest;
    }
    d.same = d.largest <= (c->other_class ? other_class_levels(found) : 0);
    return d;
}

/* Compares the pictures, prints how they differ, and returns the exit code, 0 or 1. */
static int compare(const struct check *c, const struct settings *s)
{
    struct difference d = difference_of(c);

    if (s->common.json)
        print_json(c, &d);
    else if (d.differ)
        print_plain("%s: %zu of %zu values differ, the largest difference is %d%s\n", c->path, d.differ,
                    d.values, d.largest, d.same ? ", as another engine class may" : "");
    else
        print_plain("%s: all %zu values are the same\n", c->path, d.values);
    return d.same ? 0 : 1;
}

/* Makes one picture again and returns the exit code. */
static int verify(const char *path, const struct run *r)
{
    struct check c = { .path = path };
    ddpm_error err;
    int code = read_file(&c, r, &err), status;
    if (!code)
        code = make_again(&c, r, &err);
    if (code) {
        /* A wrong setting comes from the file, not from the command line. */
        err.code = code == DDPM_EUSAGE ? DDPM_EDATA : code;
        status = complain(&command_verify, &err);
    } else {
        status = compare(&c, r->s);
    }

    free(c.text);
    generator_close(&c.generator);
    picture_free(&c.found);
    picture_free(&c.made);
    recipe_free(&c.stored);
    return status;
}

/* ---- a folder ---- */

static void swap_lines(struct manifest_line *a, struct manifest_line *b)
{
    struct manifest_line first = *a;
    *a = *b;
    *b = first;
}

/* Moves n lines, drawn by the seed, to the front: the first n steps of a shuffle (Fisher and Yates). */
static void draw(struct manifest_line *line, size_t lines, size_t n, uint64_t seed)
{
    const struct dd_rng rng = { .seed = seed, .purpose_draw = (uint32_t)DD_RNG_ORDER << 24 };
    for (size_t i = 0; i < n; i++) {
        uint32_t word;
        dd_rng_words(&rng, &word, i, 1);

        /* word * (lines - i) / 2^32 is one of 0..lines - i - 1. */
        swap_lines(&line[i], &line[i + (size_t)((uint64_t)word * (lines - i) >> 32)]);
    }
}

/* Compares the hash of a line's file with the manifest, then makes the image again.  Returns the exit
   code. */
static int verify_line(const struct manifest_line *line, const char *folder, const struct run *r)
{
    char hex[65];
    ddpm_error err;
    size_t size = strlen(folder) + strlen(line->file) + 2;
    char *path = malloc(size);
    int code = DDPM_OK, status;
    if (path) {
        snprintf(path, size, "%s/%s", folder, line->file);
        code = manifest_hash(hex, path, &err);
    } else {
        code = dd_error_memory(&err, "a path");
    }

    if (!code && strcmp(hex, line->sha256)) {
        notice(&command_verify,
               "%s is not the file that the manifest lists: ddpm sample --check-existing "
               "makes it again",
               path);
        status = 1;
    } else {
        status = code ? complain(&command_verify, &err) : verify(path, r);
    }
    free(path);
    return status;
}

/* Makes a random sample of a manifest's images again and returns the worst exit code. */
static int verify_lines(struct manifest *l, const char *folder, const struct run *r)
{
    const struct settings *s = r->s;
    size_t ok = 0;
    int worst = 0;

    /* Lines of images that exist move to the front. */
    for (size_t i = 0; i < l->lines; i++)
        if (l->line[i].ok)
            swap_lines(&l->line[ok++], &l->line[i]);
    size_t n = (size_t)s->sample < ok ? (size_t)s->sample : ok;
    draw(l->line, ok, n, s->seed);

    remark(&command_verify, &s->common, "%s: %zu of its %zu images are made again", folder, n, ok);
    for (size_t i = 0; i < n; i++) {
        int status = verify_line(&l->line[i], folder, r);
        worst = status > worst ? status : worst;
    }
    return worst;
}

static int verify_folder(const char *folder, const struct run *r)
{
    struct shard_manifests p = { .count = 0 };
    struct manifest all = { .fd = -1 };
    ddpm_error err;
    int code = shard_manifests_read(&p, folder, NULL, NULL, &err);
    if (!code && p.count)
        code = manifest_join(&all, p.manifest, p.count, &err);
    else if (!code)
        code = dd_error(&err, DDPM_EDATA, "%s has no manifest.jsonl: it is no folder of ddpm sample --outdir",
                        folder);

    int status = code ? complain(&command_verify, &err) : verify_lines(&all, folder, r);
    manifest_free(&all);
    shard_manifests_free(&p);
    return status;
}

/* ---- the command ---- */

/* Checks that the pictures and the mask are there which the user names, and opens the model. */
static int open_run(struct run *r, ddpm_error *err)
{
    struct start_image from = { .count = 0 };
    int code = r->s->from ? start_image_list(&from, r->s->from, err) : DDPM_OK;
    start_image_close(&from);
    if (!code)
        code = input_check(r->s->mask, err);
    if (!code)
        code = input_check(r->s->classifier, err);
    if (!code && r->s->classifier)
        code = model_open_classifier(&r->classifier, r->s->classifier, err);
    if (!code)
        code = model_open_whole(&r->model, r->s->model, err);
    if (code)
        ddpm_model_close(r->classifier);
    return code;
}

static int run(void *settings, char **argument, int arguments)
{
    struct run r = { .s = settings };
    ddpm_error err;
    int worst = 0;
    if (open_run(&r, &err))
        return complain(&command_verify, &err);
    const ddpm_about *a = ddpm_model_about(r.model);
    r.own = (struct image_size){ a->width, a->height };

    for (int i = 0; i < arguments; i++) {
        int status =
            dd_system_is_folder(argument[i]) ? verify_folder(argument[i], &r) : verify(argument[i], &r);
        worst = status > worst ? status : worst;
    }
    ddpm_model_close(r.model);
    ddpm_model_close(r.classifier);
    return worst;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "model", 'm', OPTION_TEXT, "MODEL", "the model that made the pictures (default: the embedded one)",
      NULL, FIELD(model), 0, 0 },
    { "classifier", 0, OPTION_TEXT, "FILE", "the classifier that led to their classes", NULL,
      FIELD(classifier), 0, 0 },
    { "from", 0, OPTION_TEXT, "IMAGE",
      "the picture, list or folder that they were started from, or the pictures of --between", NULL,
      FIELD(from), 0, 0 },
    { "mask", 0, OPTION_TEXT, "MASK", "the mask that they were painted with", NULL, FIELD(mask), 0, 0 },
    { "batch", 0, OPTION_INT, "B", "images that go through the network together (default: up to 16)", NULL,
      FIELD(batch), 1, 4096 },
    { "sample", 0, OPTION_INT, "N", "how many images of a folder are made again (default: 8)", NULL,
      FIELD(sample), 1, INT32_MAX },
    { "seed", 0, OPTION_SEED, "S", "which ones: 64 bits, or random (default: 0)", NULL, FIELD(seed), 0, 0 },
};
const struct command command_verify = {
    .name = "verify",
    .arguments = "FILE|FOLDER...",
    .least = 1,
    .most = 1 << 30,
    .run = run,
    .does = "Reads the settings stored in a PNG or a film of ddpm sample, makes its images again and "
            "compares every "
            "pixel.\n"
            "From a folder of ddpm sample --outdir, a random sample is made again.\n"
            "Exits 1 when a pixel differs; made by another engine class, a picture may differ by 2 levels.",
    .examples = "  ddpm verify sample.png\n  ddpm verify -m model.ddpm images/*.png\n  ddpm verify images "
                "--sample 20 --seed 3\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .common = COMMON_NETWORK | COMMON_VERBOSE,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
