/* Writes a recipe as one line of JSON and reads it back.  A text may come from anybody's PNG, so it is
   checked key by key. */
#include "sample/recipe.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/json.h"
#include "image/film.h"
#include "image/view.h"
#include "sample/between.h"

static const char program[] = "ddpm " DDPM_VERSION;

enum { FIELDS = 20 }; /* keys of a recipe without those that it has only where they say something */

static void add_class(cJSON *o, const struct recipe *r)
{
    if (r->class == CLASS_LIST)
        cJSON_AddItemToObject(o, "class", cJSON_CreateIntArray(r->classes, r->class_count));
    else if (r->class >= 0)
        cJSON_AddNumberToObject(o, "class", r->class);
    else
        cJSON_AddStringToObject(o, "class", r->class == CLASS_ALL ? "all" : "none");
}

/* Adds what sampling starts from, and what it keeps of that. */
static void add_start(cJSON *o, const struct recipe *r)
{
    cJSON_AddStringToObject(o, "from", r->from);
    if (r->fit)
        cJSON_AddStringToObject(o, "fit", r->fit);
    if (r->colors)
        cJSON_AddStringToObject(o, "colors", r->colors);
    if (r->mask) {
        cJSON_AddStringToObject(o, "mask", r->mask);
        cJSON_AddNumberToObject(o, "resample", r->resample);
        cJSON_AddNumberToObject(o, "jump", r->jump);
    }
    cJSON_AddNumberToObject(o, "noise_to", r->noise_to);
    cJSON_AddBoolToObject(o, "encode", r->encode);
    if (r->between) {
        cJSON_AddStringToObject(o, "between", r->between);
        cJSON_AddNumberToObject(o, "frames", r->frames);
    }
}

int recipe_class_of(int class, const int *list, int count, uint32_t index, int classes)
{
    switch (class) {
    case CLASS_ALL: return (int)(index % (uint32_t)classes);
    case CLASS_LIST: return list[index % (uint32_t)count];
    case CLASS_NONE: return classes;
    default: return class;
    }
}

char *recipe_text(const struct recipe *r, const uint32_t *index, int n)
{
    char seed[24], size[IMAGE_SIZE_TEXT];
    cJSON *o = cJSON_CreateObject(), *list;
    int keys = FIELDS + (r->size.width > 0) + (r->fit != NULL) + (r->colors != NULL) + 3 * (r->mask != NULL) +
               2 * (r->between != NULL) + 2 * (r->fps > 0) + (r->guidance != 1) + (r->classifier != NULL) +
               (r->scale > 1) + (r->rate != NULL) + (n > 0);

    snprintf(seed, sizeof seed, "%" PRIu64, r->seed);
    cJSON_AddStringToObject(o, "program", program);
    cJSON_AddStringToObject(o, "model", r->model);
    cJSON_AddStringToObject(o, "engine_class", r->engine_class);
    if (r->size.width)
        cJSON_AddStringToObject(o, "size", image_size_text(size, r->size));
    cJSON_AddStringToObject(o, "seed", seed); /* text, as a JSON number does not hold 64 bits */
    cJSON_AddStringToObject(o, "sampler", r->sampler);
    cJSON_AddStringToObject(o, "variance", r->variance);
    cJSON_AddNumberToObject(o, "eta", r->eta);
    cJSON_AddNumberToObject(o, "clip", r->clip);
    cJSON_AddNumberToObject(o, "order", r->order);
    cJSON_AddNumberToObject(o, "corrector", r->corrector);
    cJSON_AddNumberToObject(o, "snr", r->snr);
    if (r->rate)
        cJSON_AddStringToObject(o, "rate", r->rate);
    add_start(o, r);
    cJSON_AddStringToObject(o, "spacing", r->spacing);
    cJSON_AddStringToObject(o, "steps", r->steps);
    add_class(o, r);
    if (r->guidance != 1)
        cJSON_AddNumberToObject(o, "guidance", r->guidance);
    if (r->classifier)
        cJSON_AddStringToObject(o, "classifier", r->classifier);
    cJSON_AddNumberToObject(o, "keep_steps", r->keep_steps);
    if (r->scale > 1)
        cJSON_AddNumberToObject(o, "scale", r->scale);
    if (r->fps > 0) {
        cJSON_AddNumberToObject(o, "fps", r->fps);
        cJSON_AddNumberToObject(o, "loop", r->loop);
    }
    cJSON_AddStringToObject(o, "noise", r->noise);
    cJSON_AddStringToObject(o, "format", r->format);
    list = n ? cJSON_AddArrayToObject(o, "indices") : NULL;
    for (int i = 0; i < n; i++)
        cJSON_AddItemToArray(list, cJSON_CreateNumber(index[i]));

    /* A call above that ran out of memory has left out its key. */
    bool whole = cJSON_GetArraySize(o) == keys && cJSON_GetArraySize(list) == n;
    char *text = whole ? cJSON_PrintUnformatted(o) : NULL;
    cJSON_Delete(o);
    return text;
}

/* Returns how many classes are listed, 0 where there is no list. */
static int classes_in(const cJSON *root)
{
    const cJSON *class = cJSON_GetObjectItemCaseSensitive(root, "class");
    return cJSON_IsArray(class) ? cJSON_GetArraySize(class) : 0;
}

/* Reads the class, or a list of `count` classes into s->classes, which is long enough. */
static int read_class(struct dd_json *j, struct stored_recipe *s, int count)
{
    static const char *const names[] = { "none", "all", NULL };
    if (count) {
        s->recipe.classes = s->classes;
        s->recipe.class_count = dd_json_ints(j, "class", s->classes, count, 0, INT32_MAX);
        return CLASS_LIST;
    }
    if (cJSON_IsNumber(cJSON_GetObjectItemCaseSensitive(s->root, "class")))
        return dd_json_int(j, "class", 0, INT32_MAX);
    return dd_json_choice(j, "class", names) ? CLASS_ALL : CLASS_NONE;
}

static uint64_t read_seed(struct dd_json *j)
{
    const char *text = dd_json_text(j, "seed");
    char *end;
    errno = 0;
    uint64_t seed = strtoull(text, &end, 10);
    if (!j->code && (errno || *end || *text < '0' || *text > '9'))
        j->code = dd_error(j->err, DDPM_EDATA, "%s.seed is \"%.40s\", expected a whole number of 64 bits",
                           j->path, text);
    return seed;
}

static struct image_size read_size(struct dd_json *j)
{
    struct image_size size = { 0 };
    const char *text = dd_json_has(j, "size") ? dd_json_text(j, "size") : NULL;
    if (text && !j->code && !image_size_parse(&size, text))
        j->code = dd_error(j->err, DDPM_EDATA, "%s.size is \"%.40s\", expected a size such as 48x64", j->path,
                           text);
    return size;
}

/* Reads a key whose value is one of these names; NULL: the key is not there. */
static const char *read_name(struct dd_json *j, const char *key, const char *const *names)
{
    return dd_json_has(j, key) ? names[dd_json_choice(j, key, names)] : NULL;
}

/* Checks that what belongs to a picture has one, which the generator takes for granted.  A mask adds noise of
   its own, so it does not go with the noise that an image is carried to. */
static void check_start(struct dd_json *j, const struct recipe *r)
{
    if (!j->code && !*r->from && (r->mask || r->fit || r->colors || r->encode))
        j->code = dd_error(j->err, DDPM_EDATA,
                           "%s.from is empty, but mask, fit, colors and encode belong to a picture", j->path);
    if (!j->code && r->mask && r->encode)
        j->code = dd_error(j->err, DDPM_EDATA, "%s.encode is true, expected false with a mask", j->path);
}

/* Checks the ends of a way between two images, which the generator takes for granted; list [n] holds its
   frames. */
static void check_between(struct dd_json *j, const struct recipe *r, const int *list, int n)
{
    struct between b;
    int last = 0;
    if (j->code || !r->between)
        return;

    bool right = between_parse(&b, r->between);
    for (int i = 0; i < n; i++)
        last = list[i] > last ? list[i] : last;
    if (!right)
        j->code = dd_error(j->err, DDPM_EDATA, "%s.between is \"%.40s\", expected two ends such as 3,picture",
                           j->path, r->between);
    else if (between_pictures(&b) ? !*r->from : *r->from || r->fit || r->colors)
        j->code = dd_error(j->err, DDPM_EDATA, "%s.from, fit and colors do not fit the ends %s", j->path,
                           r->between);
    else if (r->mask || r->encode || r->class == CLASS_ALL || r->class == CLASS_LIST || *r->noise)
        j->code = dd_error(j->err, DDPM_EDATA,
                           "%s.between does not go with mask, encode, noise or several classes", j->path);
    else if (last >= r->frames)
        j->code = dd_error(j->err, DDPM_EDATA, "%s.indices holds %d, expected less than the %d frames",
                           j->path, last, r->frames);
}

/* Fills r from the members of root; list [n] gets the indices. */
static int read_fields(struct stored_recipe *s, int *list, int n, const char *name, ddpm_error *err)
{
    struct recipe *r = &s->recipe;
    struct dd_json j;
    dd_json_begin(&j, s->root, name, err);

    dd_json_text(&j, "program");
    r->model = dd_json_text(&j, "model");
    r->engine_class = dd_json_text(&j, "engine_class");
    r->size = read_size(&j);
    r->seed = read_seed(&j);
    r->sampler = dd_json_text(&j, "sampler");
    r->variance = dd_json_text(&j, "variance");
    r->eta = dd_json_number(&j, "eta", 0, 1);
    r->clip = dd_json_number(&j, "clip", 0, 1e30);
    r->order = dd_json_int(&j, "order", 0, 1000000);
    r->corrector = dd_json_int(&j, "corrector", 0, 1000000);
    r->snr = dd_json_number(&j, "snr", 0, 1);
    r->rate = dd_json_has(&j, "rate") ? dd_json_text(&j, "rate") : NULL;
    r->from = dd_json_text(&j, "from");
    r->fit = read_name(&j, "fit", view_fit_names());
    r->colors = read_name(&j, "colors", view_color_names());
    if (dd_json_has(&j, "mask")) {
        r->mask = dd_json_text(&j, "mask");
        r->resample = dd_json_int(&j, "resample", 1, RESAMPLE_MOST);
        r->jump = dd_json_int(&j, "jump", 1, JUMP_MOST);
    }
    r->noise_to = dd_json_number(&j, "noise_to", 0, 1000000);
    r->encode = dd_json_bool(&j, "encode");
    check_start(&j, r);
    if (dd_json_has(&j, "between")) {
        r->between = dd_json_text(&j, "between");
        r->frames = dd_json_int(&j, "frames", 2, FRAMES_MOST);
    }

    r->spacing = dd_json_text(&j, "spacing");
    r->steps = dd_json_text(&j, "steps");
    r->class = read_class(&j, s, classes_in(s->root));
    r->guidance = dd_json_has(&j, "guidance") ? dd_json_number(&j, "guidance", 0, GUIDANCE_MOST) : 1;
    r->classifier = dd_json_has(&j, "classifier") ? dd_json_text(&j, "classifier") : NULL;
    r->keep_steps = dd_json_int(&j, "keep_steps", 1, 1000000);
    r->scale = dd_json_has(&j, "scale") ? dd_json_int(&j, "scale", 1, SCALE_MOST) : 1;
    r->noise = dd_json_text(&j, "noise");
    r->format = dd_json_text(&j, "format");
    if (dd_json_has(&j, "fps")) {
        r->fps = dd_json_number(&j, "fps", 0, FILM_RATE_MOST);
        r->loop = dd_json_int(&j, "loop", 0, FILM_LOOP_MOST);
    }
    dd_json_ints(&j, "indices", list, n, 0, INT32_MAX);
    check_between(&j, r, list, n);
    return dd_json_end(&j);
}

int recipe_parse(cJSON **root, const char *text, const char *name, ddpm_error *err)
{
    int code = dd_json_parse(root, text, strlen(text), name, err);
    cJSON *former = code ? NULL : cJSON_GetObjectItemCaseSensitive(*root, "schedule");

    /* The new key is the shorter one, so it fits into the memory of the old. */
    if (former && !cJSON_GetObjectItemCaseSensitive(*root, "spacing"))
        strcpy(former->string, "spacing");
    return code;
}

int recipe_read(struct stored_recipe *s, const char *text, const char *name, ddpm_error *err)
{
    *s = (struct stored_recipe){ .n = 0 };
    int code = recipe_parse(&s->root, text, name, err);
    if (code) {
        s->root = NULL;
        return code;
    }

    /* Without indices there is no list, and the text is refused. */
    int n = cJSON_GetArraySize(cJSON_GetObjectItemCaseSensitive(s->root, "indices"));
    if (n < 1)
        return dd_error(err, DDPM_EDATA, "%s: holds no settings of ddpm sample: its text names no images",
                        name);

    int *list = malloc((size_t)n * sizeof *list);
    s->classes = malloc(((size_t)classes_in(s->root) + 1) * sizeof *s->classes);
    if (!list || !s->classes) {
        free(list);
        return dd_error(err, DDPM_ENOMEM, "out of memory for the indices of %s", name);
    }
    code = read_fields(s, list, n, name, err);
    if (code) {
        free(list);
        return code;
    }

    s->index = (uint32_t *)(void *)list; /* not negative: the same bits */
    s->n = n;
    return DDPM_OK;
}

void recipe_free(struct stored_recipe *s)
{
    cJSON_Delete(s->root);
    free(s->index);
    free(s->classes);
    *s = (struct stored_recipe){ .n = 0 };
}

/* Appends "KEY is FOUND there and WANTED here" to text.  Long values are shown from shortly before the first
   character that differs. */
static void tell_difference(char *text, size_t room, const cJSON *found, const cJSON *wanted, const char *key)
{
    enum { BEFORE = 20 };

    size_t n = strlen(text), same = 0;
    char *there = found ? cJSON_PrintUnformatted(found) : NULL,
         *here = wanted ? cJSON_PrintUnformatted(wanted) : NULL;
    const char *f = there ? there : "not", *w = here ? here : "not";
    while (f[same] && f[same] == w[same])
        same++;
    size_t skip = same > 2 * BEFORE ? same - BEFORE : 0;
    snprintf(text + n, room - n, "%s%s is %s%.60s there and %s%.60s here", n ? ", " : "", key,
             skip ? "..." : "", f + skip, skip ? "..." : "", w + skip);

    cJSON_free(there);
    cJSON_free(here);
}

int recipe_compare(const char *found, const char *wanted, const char *name, ddpm_error *err)
{
    char differences[400] = "";
    cJSON *f, *w, *item;
    int code = recipe_parse(&f, found, name, err);
    if (code)
        return code;
    if (!(w = cJSON_Parse(wanted))) /* our own text is valid JSON, so there is no memory */
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory", name);

    /* Keys that differ, and then keys that only `found` has. */
    cJSON_ArrayForEach(item, w)
        if (!cJSON_Compare(cJSON_GetObjectItemCaseSensitive(f, item->string), item, 1))
            tell_difference(differences, sizeof differences,
                            cJSON_GetObjectItemCaseSensitive(f, item->string), item, item->string);
    cJSON_ArrayForEach(item, f)
        if (w && !cJSON_GetObjectItemCaseSensitive(w, item->string))
            tell_difference(differences, sizeof differences, item, NULL, item->string);

    if (!code && *differences)
        code = dd_error(err, DDPM_EUSAGE,
                        "%s was begun with other settings, give the same or choose another folder: %s", name,
                        differences);

    cJSON_Delete(f);
    cJSON_Delete(w);
    return code;
}

bool recipe_same(const char *found, const char *wanted)
{
    return !strcmp(found, wanted) || recipe_compare(found, wanted, "settings", NULL) == DDPM_OK;
}
