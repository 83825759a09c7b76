/* The engine of the page (engine.h): the library and the program's generator, a step at a time. */
#include "page/engine/engine.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "cli/command_model.h"
#include "cli/image_size.h"
#include "cli/model_report.h"
#include "sample/class_list.h"
#include "sample/generator.h"
#include "sample/image_output.h"
#include "sample/index_list.h"
#include "sample/sample_options.h"

/* How many images a run makes if nothing is asked for, and at most; how many words its options may have. */
enum { IMAGES = 16, IMAGES_MOST = 256, WORDS_MOST = 128 };

static ddpm_error error;

/* The command whose options a run takes. */
static const struct command command_page = {
    .name = "sample",
    .arguments = "",
    .options = sample_options,
    .count = SAMPLE_OPTIONS,
    .common = COMMON_NETWORK,
    .size = sizeof(struct sample_settings),
    .defaults = &sample_defaults,
};

const char *page_error(void)
{
    return error.text;
}

int page_error_code(void)
{
    return error.code;
}

const char *page_version(void)
{
    return DDPM_VERSION;
}

void *page_allocate(size_t size)
{
    return malloc(size);
}

void page_free(void *p)
{
    free(p);
}

/* ---- models ---- */

struct page_model {
    ddpm_model *model;
    void *data;            /* the bytes of its file; NULL: the embedded model */
    struct image_size own; /* the model's size in its file */
    int runs;              /* how many runs of it are open */
};

void page_model_close(struct page_model *m)
{
    ddpm_model_close(m->model);
    free(m->data);
    free(m);
}

struct page_model *page_model_open(void *data, size_t size)
{
    struct page_model *m = calloc(1, sizeof *m);
    if (!m) {
        free(data);
        dd_error_memory(&error, "the model");
        return NULL;
    }

    m->data = data;
    int code =
        data ? ddpm_model_open_memory(&m->model, data, size, &error) : model_open(&m->model, NULL, &error);
    if (!code)
        code = model_check(m->model, data ? "model in memory" : NULL, &error);
    if (code) {
        page_model_close(m);
        return NULL;
    }

    const ddpm_about *a = ddpm_model_about(m->model);
    m->own = (struct image_size){ a->width, a->height };
    return m;
}

int page_model_report(const struct page_model *m, int json)
{
    static const struct common common;
    ddpm_net *net;
    int code = model_net(&net, m->model, &common, 1, &error);
    if (code)
        return code;

    (json ? model_report_json : model_report)(ddpm_model_about(m->model), net);
    ddpm_net_free(net);
    fflush(stdout);
    return DDPM_OK;
}

/* ---- runs ---- */

struct page_run {
    struct page_model *model;
    struct sample_settings settings; /* its texts are those of words */
    char *words, *steps;
    int *classes;                /* of the recipe, if they are several */
    struct stored_recipe stored; /* the recipe that was read from a PNG; n is 0 without one */
    struct recipe recipe;
    uint32_t *index; /* [n] */
    int n;

    struct generator generator;
    struct layout layout;
    struct picture picture, large; /* the images at scale 1 and at the recipe's scale */
    unsigned char *rgba;           /* [height, width, 4] of picture */

    double numbers[PAGE_NUMBERS];
};

void page_run_close(struct page_run *r)
{
    r->model->runs--;
    picture_free(&r->picture);
    picture_free(&r->large);
    generator_close(&r->generator);
    if (r->index != r->stored.index)
        free(r->index);
    recipe_free(&r->stored);
    free(r->rgba);
    free(r->words);
    free(r->steps);
    free(r->classes);
    free(r);
}

/* Makes a run of the model, without anything in it. */
static struct page_run *run_create(struct page_model *m)
{
    struct page_run *r = calloc(1, sizeof *r);
    if (!r) {
        dd_error_memory(&error, "a run");
        return NULL;
    }
    r->model = m;
    m->runs++;
    return r;
}

/* Refuses options that name files, which a page does not have. */
static int check_files(const struct sample_settings *s)
{
    const char *option = s->model ? "model" : NULL;
    option = s->from ? "from" : option;
    option = s->mask ? "mask" : option;
    option = s->noise ? "noise" : option;
    option = s->between ? "between" : option;
    option = s->output || s->outdir || s->format || s->shard ? "output" : option;
    option = s->show || s->common.help ? "show" : option;
    if (!option)
        return DDPM_OK;
    return dd_error(&error, DDPM_EUSAGE,
                    "--%s: a page makes pictures of the open model from noise: leave it out", option);
}

/* Reads the options, `count` words that follow each other. */
static int read_options(struct page_run *r, int count)
{
    char *word[WORDS_MOST], *at = r->words;
    struct sample_settings *s = &r->settings;
    int arguments;

    if (count > WORDS_MOST)
        return dd_error(&error, DDPM_EUSAGE, "%d options, at most %d are read", count, WORDS_MOST);
    for (int i = 0; i < count; i++, at += strlen(at) + 1)
        word[i] = at;

    *s = sample_defaults;
    int code = options_parse(&command_page, s, count, word, &arguments, &error);
    if (!code)
        code = check_files(s);
    if (!code)
        code = sample_settings_check(s, &error);
    if (code)
        return code;

    sample_settings_recipe(&r->recipe, s);
    return index_list(&r->index, &r->n, s->index, s->images ? (int)s->images : IMAGES, &error);
}

/* Gives the model the size of the run's images.  Two runs that are open at once share the model, and so its
   size. */
static int take_size(struct page_run *r, struct image_size size)
{
    const ddpm_about *a = ddpm_model_about(r->model->model);
    struct image_size own = r->model->own, wanted = size.width ? size : own;

    r->recipe.size = (struct image_size){ 0 };
    if (wanted.width != own.width || wanted.height != own.height)
        r->recipe.size = wanted;
    if (wanted.width == a->width && wanted.height == a->height)
        return DDPM_OK;
    if (r->model->runs > 1)
        return dd_error(&error, DDPM_EUSAGE, "another run of this model has another size: close it first");
    int code = ddpm_model_resize(r->model->model, wanted.height, wanted.width, &error);
    return code ? dd_error_context(&error, "--size") : DDPM_OK;
}

/* Completes the recipe by what depends on the model. */
static int take_model(struct page_run *r)
{
    const struct sample_settings *s = &r->settings;
    const ddpm_about *a = ddpm_model_about(r->model->model);
    struct image_size size = { 0 };

    if (s->size && !image_size_parse(&size, s->size))
        return dd_error(&error, DDPM_EUSAGE,
                        "--size %.40s: expected width x height, such as 48x64, or one side", s->size);
    int code = take_size(r, size);
    if (!code)
        code = class_list_read(&r->recipe, &r->classes, s->class, a, &error);
    if (code)
        return code;

    r->recipe.clip = clip_bound(s->clip, a);
    if (s->fast)
        r->steps = sample_settings_fast(&r->recipe, a);
    else if (ddpm_sampler_traits_of(r->recipe.sampler)->own_steps && !s->steps)
        r->steps = sample_settings_tuned(&r->recipe, a);
    else
        return DDPM_OK;
    return r->steps ? DDPM_OK : dd_error_memory(&error, "the steps");
}

/* Makes room for the picture of all images, which stays as it is and is enlarged for its PNG. */
static int open_picture(struct page_run *r)
{
    const ddpm_about *a = r->generator.about;
    struct picture *p = &r->picture;
    r->layout = layout_of(a, &r->recipe, r->n);
    if (!r->recipe.scale)
        r->recipe.scale = layout_scale(&r->layout, (int)r->settings.scale);

    int code = layout_picture(p, &r->layout, a, 1, &error), scale = r->recipe.scale;
    if (code)
        return code;
    if ((double)p->width * scale * p->height * scale * p->channels > PICTURE_MOST)
        return dd_error(&error, DDPM_EUSAGE, "--scale %d makes too large a picture: take a smaller one",
                        scale);
    code = picture_create(&r->large, p->width * scale, p->height * scale, p->channels, 1, &error);
    if (code)
        return code;
    r->rgba = malloc((size_t)p->width * (size_t)p->height * 4);
    if (!r->rgba)
        return dd_error_memory(&error, "the picture");

    r->numbers[PAGE_STEPS] = generator_steps(&r->generator);
    r->numbers[PAGE_WIDTH] = p->width;
    r->numbers[PAGE_HEIGHT] = p->height;
    r->numbers[PAGE_COLUMNS] = r->layout.columns;
    return DDPM_OK;
}

/* Opens the generator of the recipe and begins its images.  A guided image goes through the network twice. */
static int begin(struct page_run *r)
{
    int runs = r->recipe.guidance == 1 || r->recipe.guidance == 0 ? 1 : 2;
    const struct generator_options o = {
        .model = r->model->model,
        .command = &command_page,
        .common = &r->settings.common,
        .batch = r->n * runs,
        .last = index_list_largest(r->index, r->n),
    };
    if (r->n > IMAGES_MOST)
        return dd_error(&error, DDPM_EUSAGE, "%d images, a page makes at most %d at once", r->n, IMAGES_MOST);

    r->recipe.keep_steps = 1;
    r->recipe.format = "png";
    int code = generator_open(&r->generator, &r->recipe, &o, &error);
    if (!code)
        code = open_picture(r);
    if (!code)
        code = generator_begin(&r->generator, r->index, r->n, &error);
    if (code)
        return code;

    const ddpm_tables *t = ddpm_chain_tables(r->generator.chain);
    if (t->warning)
        remark(&command_page, &r->settings.common, "%s", t->warning);
    if (*r->generator.warning)
        remark(&command_page, &r->settings.common, "%s", r->generator.warning);
    return DDPM_OK;
}

/* Returns the run, or closes it after an error and returns NULL. */
static struct page_run *opened(struct page_run *r, int code)
{
    if (!code)
        return r;
    page_run_close(r);
    return NULL;
}

struct page_run *page_run_open(struct page_model *m, char *words, int count)
{
    struct page_run *r = run_create(m);
    if (!r) {
        free(words);
        return NULL;
    }
    r->words = words;

    int code = read_options(r, count);
    if (!code)
        code = take_model(r);
    return opened(r, code ? code : begin(r));
}

/* Reads the settings in a PNG's text, and checks that the open model has made its images, from noise. */
static int read_stored(struct page_run *r, const char *text)
{
    int code = recipe_read(&r->stored, text, "the picture", &error);
    if (code)
        return code;

    const struct recipe *stored = &r->stored.recipe;
    const char *id = ddpm_model_about(r->model->model)->id;
    if (strcmp(stored->model, id))
        return dd_error(&error, DDPM_EMISSING,
                        "the picture was made by model %.12s..., this one is %.12s...: open its model",
                        stored->model, id);
    if (*stored->from || *stored->noise || stored->between)
        return dd_error(&error, DDPM_EUNSUPPORTED,
                        "the picture was made from %s, and a page makes pictures from noise of its own",
                        *stored->from ? "another picture" : "given noise, or on a way between two images");

    r->recipe = *stored;
    r->index = r->stored.index;
    r->n = r->stored.n;
    return take_size(r, stored->size);
}

struct page_run *page_run_again(struct page_model *m, const char *text)
{
    struct page_run *r = run_create(m);
    if (!r)
        return NULL;
    r->settings = sample_defaults;
    int code = read_stored(r, text);
    return opened(r, code ? code : begin(r));
}

const double *page_run_numbers(const struct page_run *r)
{
    return r->numbers;
}

int page_run_step(struct page_run *r)
{
    struct generator *g = &r->generator;
    int left = ddpm_sampler_left(g->sampler);
    if (!left)
        return DDPM_OK;

    int code = generator_step(g, &error);
    if (code && code != DDPM_ENAN)
        return code;

    r->numbers[PAGE_TAKEN] = g->taken;
    r->numbers[PAGE_T] = ddpm_chain_tables(g->chain)->t[left - 1];
    r->numbers[PAGE_CALLS] = (double)g->calls;
    r->numbers[PAGE_LOST] = 0;
    for (int row = 0; row < r->n; row++)
        r->numbers[PAGE_LOST] += ddpm_sampler_lost(g->sampler, row) != 0;
    return DDPM_OK;
}

/* Puts the images as they are now into the picture. */
static void put_images(struct page_run *r)
{
    const double *x = ddpm_sampler_state(r->generator.sampler, NULL);
    for (int row = 0; row < r->n; row++)
        layout_put(&r->picture, &r->layout, row,
                   ddpm_sampler_lost(r->generator.sampler, row) ? NULL : x + (size_t)row * r->generator.d);
}

const unsigned char *page_run_picture(struct page_run *r)
{
    put_images(r);
    const struct picture *p = &r->picture;
    size_t pixels = (size_t)p->width * (size_t)p->height, c = (size_t)p->channels;
    for (size_t i = 0; i < pixels; i++) {
        const unsigned char *from = p->pixel + i * c;
        unsigned char *to = r->rgba + i * 4;

        /* One or two channels are gray, the second and the fourth are alpha. */
        for (size_t k = 0; k < 3; k++)
            to[k] = from[c < 3 ? 0 : k];
        to[3] = c % 2 ? 255 : from[c - 1];
    }
    return r->rgba;
}

int page_run_png(struct page_run *r)
{
    put_images(r);
    picture_enlarge(&r->large, &r->picture, 0, r->recipe.scale);
    char *text = recipe_text(&r->recipe, r->index, r->n);
    if (!text)
        return dd_error_memory(&error, "the settings");

    int code = picture_write(stdout, &r->large, text, &error);
    fflush(stdout);
    cJSON_free(text);
    return code;
}

int page_run_settings(struct page_run *r)
{
    char *text = recipe_text(&r->recipe, r->index, r->n);
    if (!text)
        return dd_error_memory(&error, "the settings");
    fputs(text, stdout);
    fflush(stdout);
    cJSON_free(text);
    return DDPM_OK;
}
