/* ddpm sheet: a contact sheet of pictures that are there, from folders, files or both.  Nothing is written
   unless every picture can be read. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "cli/ending.h"
#include "cli/interrupt.h"
#include "cli/options.h"
#include "image/sheet.h"
#include "outdir/written.h"
#include "sample/image_output.h"
#include "sample/start_image.h"
#include "sample/start_place.h"
#include "training/canvas.h"

struct settings {
    struct common common;
    const char *output;
    int64_t columns, scale; /* 0: not given */
    bool captions, force;
};
static const struct settings defaults = { .output = "sheet.png" };

/* The height of a capital letter in a caption, and of the whole caption. */
enum { LETTER = 7, CAPTION = 13, MARGIN = 2 };

struct run {
    const struct settings *s;
    struct start_image *source; /* [sources], the pictures of each argument */
    int sources, pictures;
    int clear;    /* pictures with transparency */
    bool colours; /* a picture has colours */
    struct sheet sheet;
    struct dd_output output;
};

/* ---- what is there ---- */

/* Lists the pictures of an argument, and checks that the sheet does not go among them. */
static int list(struct run *r, const char *argument, ddpm_error *err)
{
    const char *output = r->s->output;
    struct start_image *l = &r->source[r->sources];
    int code = start_image_list(l, argument, err);
    r->sources++;
    if (code)
        return code;

    r->pictures += l->count;
    if (l->folder.files && start_place_below(output, argument))
        return dd_error(err, DDPM_EUSAGE,
                        "%s lies in %s, of which every picture is taken: choose another place for -o", output,
                        argument);
    for (int k = 0; k < l->count; k++)
        if (dd_system_same(l->path[k], output))
            return dd_error(err, DDPM_EUSAGE, "%s is one of the pictures: choose another name for -o",
                            output);
    return DDPM_OK;
}

/* Reads the heads of all pictures, whose largest sides are those of a tile. */
static int measure(struct run *r, ddpm_error *err)
{
    struct sheet *t = &r->sheet;
    int code = DDPM_OK;
    for (int a = 0; a < r->sources; a++)
        for (int k = 0; k < r->source[a].count && !code; k++) {
            struct image_file p = { .value = NULL };
            code = image_file_head(&p, r->source[a].path[k], err);
            t->width = p.width > t->width ? p.width : t->width;
            t->height = p.height > t->height ? p.height : t->height;
            r->colours = r->colours || p.channels > 2;
            r->clear += p.channels % 2 == 0;
        }
    return code;
}

/* ---- captions ---- */

/* Finds the index and the class that a PNG of ddpm sample says about its only image.  Class -1: it says none,
   which is so for --class all, as the number of classes stands in the model. */
static bool say_of(uint32_t *index, int *class, const char *path)
{
    struct stored_recipe r = { .n = 0 };
    struct dd_file f;
    char *text = NULL;
    bool one = false;
    if (dd_file_map(&f, path, NULL))
        return false;

    if (!image_file_text(&text, f.data, f.size, "ddpm", path, NULL) && text &&
        !recipe_read(&r, text, path, NULL) && r.n == 1) {
        const struct recipe *q = &r.recipe;
        one = true;
        *index = r.index[0];
        *class = q->class == CLASS_LIST ? q->classes[*index % (uint32_t)q->class_count] : q->class;
        *class = *class < 0 ? -1 : *class;
    }
    recipe_free(&r);
    free(text);
    dd_file_unmap(&f);
    return one;
}

/* Writes the caption of picture k of a source, whose number on the sheet is i: "7" or "7 shoe". */
static void caption_of(char *text, size_t size, const struct start_image *l, int k, int i)
{
    char name[64] = "";
    uint32_t index = (uint32_t)i;
    int class = -1;
    say_of(&index, &class, l->path[k]);

    if (class >= 0)
        snprintf(name, sizeof name, "%d", class);

    /* The name of the folder is what a person called the class. */
    if (l->folder.files && l->folder.class_of[k] >= 0)
        image_folder_class(name, sizeof name, &l->folder, l->folder.class_of[k]);
    snprintf(text, size, "%u%s%s", index, *name ? " " : "", name);
}

/* Draws a caption below tile i; letters beyond the width of the tile are left out. */
static int draw_caption(struct sheet *t, int i, const char *text, ddpm_error *err)
{
    const struct canvas_text how = { .size = LETTER, .align = CANVAS_LEFT };
    char shown[80];
    struct canvas c;
    struct picture p;
    snprintf(shown, sizeof shown, "%s", text);
    while (*shown && canvas_text_width(shown, LETTER) > t->width * t->scale - MARGIN)
        shown[strlen(shown) - 1] = 0;

    int code = canvas_create(&c, t->width * t->scale, CAPTION, err);
    if (code)
        return code;
    canvas_text(&c, MARGIN, CAPTION / 2.0, shown, &how);
    code = canvas_picture(&p, &c, err);
    if (!code)
        sheet_caption(t, i, &p);
    if (!code)
        picture_free(&p);
    canvas_free(&c);
    return code;
}

/* ---- the sheet ---- */

/* Chooses columns and scale as a grid of images has them, unless they were given. */
static int open_sheet(struct run *r, ddpm_error *err)
{
    struct sheet *t = &r->sheet;
    t->columns = r->s->columns ? (int)r->s->columns : (int)ceil(sqrt(r->pictures));
    t->columns = t->columns < r->pictures ? t->columns : r->pictures;
    t->caption = r->s->captions ? CAPTION : 0;

    const struct layout l = {
        .columns = t->columns,
        .rows = (r->pictures + t->columns - 1) / t->columns,
        .height = t->height,
        .width = t->width,
    };
    t->scale = layout_scale(&l, (int)r->s->scale);
    return sheet_create(t, r->pictures, r->colours ? 3 : 1, err);
}

/* Puts picture k of a source into tile i. */
static int put(struct run *r, const struct start_image *l, int k, int i, ddpm_error *err)
{
    struct image_file p;
    char text[80];
    int code = interrupted ? dd_error(err, TRY_LATER, "interrupted, and nothing is written") : DDPM_OK;
    if (!code)
        code = image_file_read(&p, l->path[k], err);
    if (code)
        return code;

    /* The file may have changed since its head was read. */
    if (p.width > r->sheet.width || p.height > r->sheet.height || (p.channels > 2 && !r->colours))
        code = dd_error(err, DDPM_EDATA, "%s has changed since the run began", l->path[k]);
    else
        sheet_put(&r->sheet, i, &p);
    image_file_free(&p);

    if (code || !r->s->captions)
        return code;
    caption_of(text, sizeof text, l, k, i);
    return draw_caption(&r->sheet, i, text, err);
}

static int put_all(struct run *r, ddpm_error *err)
{
    int code = DDPM_OK, i = 0;
    for (int a = 0; a < r->sources; a++)
        for (int k = 0; k < r->source[a].count && !code; k++, i++)
            code = put(r, &r->source[a], k, i, err);
    return code;
}

static int make(struct run *r, ddpm_error *err)
{
    int code = measure(r, err);
    if (!code)
        code = open_sheet(r, err);
    if (!code)
        code = dd_output_create_any(&r->output, r->s->output, r->s->force, err);
    interrupt_removes(r->output.temporary);
    if (!code && r->output.standard && r->s->common.json)
        code = dd_error(err, DDPM_EUSAGE, "the sheet itself goes to standard output: leave out --json");
    if (!code)
        code = put_all(r, err);
    if (!code)
        code = picture_write(r->output.stream, &r->sheet.picture, "{}", err);
    return code ? code : dd_output_commit(&r->output, err);
}

static int check(const struct settings *s, ddpm_error *err)
{
    const char *ending = ending_of(s->output);
    if (*ending && strcasecmp(ending, "png"))
        return dd_error(err, DDPM_EUSAGE, "%.200s: a sheet is a PNG: name it .png", s->output);
    return DDPM_OK;
}

static int run(void *settings, char **argument, int arguments)
{
    struct run r = { .s = settings };
    ddpm_error err;

    interrupt_catch();
    int code = check(r.s, &err);
    r.source = calloc((size_t)arguments, sizeof *r.source);
    if (!code && !r.source)
        code = dd_error_memory(&err, "a list of pictures");
    for (int a = 0; a < arguments && !code; a++)
        code = list(&r, argument[a], &err);
    if (!code)
        code = make(&r, &err);

    dd_output_abandon(&r.output);
    interrupt_removes(NULL);
    sheet_free(&r.sheet);
    for (int a = 0; a < r.sources; a++)
        start_image_close(&r.source[a]);
    free(r.source);
    if (code)
        return complain(&command_sheet, &err);

    if (r.clear)
        remark(&command_sheet, &r.s->common, "%d of the pictures are shown without their transparency",
               r.clear);
    const struct written w = { .where = r.s->output, .images = r.pictures, .made = -1 };
    written_tell(&w, &command_sheet, &r.s->common);
    return 0;
}

#define FIELD(f) offsetof(struct settings, f)
static const struct option options[] = {
    { "output", 'o', OPTION_TEXT, "FILE", "the sheet, a PNG; - is standard output (default: sheet.png)", NULL,
      FIELD(output), 0, 0 },
    { "columns", 0, OPTION_INT, "N", "pictures in a row (default: as many as rows)", NULL, FIELD(columns), 1,
      100000 },
    { "scale", 0, OPTION_INT, "N", "make each pixel N x N of them (default: what makes the sheet 512 wide)",
      NULL, FIELD(scale), 1, SCALE_MOST },
    { "captions", 0, OPTION_FLAG, NULL, "write the index and the class of each picture below it", NULL,
      FIELD(captions), 0, 0 },
    { "force", 0, OPTION_FLAG, NULL, "replace an existing file", NULL, FIELD(force), 0, 0 },
};
const struct command command_sheet = {
    .name = "sheet",
    .arguments = "FOLDER|PICTURE...",
    .least = 1,
    .most = 1 << 30,
    .run = run,
    .does =
        "Makes a contact sheet of pictures: of all that lie below a folder, in order of their names, or of "
        "those that are named.",
    .examples = "  ddpm sheet images -o sheet.png\n  ddpm sheet images --columns 10 --scale 2 --captions -o "
                "sheet.png\n  ddpm sheet a.png b.jpg -o both.png\n",
    .options = options,
    .count = sizeof options / sizeof *options,
    .size = sizeof(struct settings),
    .defaults = &defaults,
};
