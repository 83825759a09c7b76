/* The settings in a picture or a manifest are read as strictly as ddpm verify reads them, and then shown key
   by key. */
#include "outdir/info_images.h"
#include <cjson/cJSON.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/scan.h"
#include "base/system.h"
#include "cli/json_line.h"
#include "outdir/shard_manifests.h"
#include "image/film.h"
#include "image/picture.h"
#include "sample/recipe.h"

/* A setting is shown with at most so many characters; a list of steps may be long. */
enum { SHOWN = 100 };

bool info_is_picture(const char *path)
{
    struct dd_file f;
    bool there = dd_file_map(&f, path, NULL) == DDPM_OK;
    bool png = there && f.size >= 8 && !memcmp(f.data, "\x89PNG\r\n\x1a\n", 8);
    bool film = there && film_is(f.data, f.size);
    dd_file_unmap(&f);
    return png || film;
}

bool info_is_images(const char *path)
{
    struct shard_manifests p = { .count = 0 };
    if (!dd_system_is_folder(path))
        return false;
    int code = shard_manifests_read(&p, path, NULL, NULL, NULL);
    bool images = code ? code == DDPM_EDATA : p.count > 0;
    shard_manifests_free(&p);
    return images;
}

/* Prints a line of a file's text without its control characters, which would drive the terminal. */
static void print_line(const char *key, const char *text)
{
    char line[SHOWN + 64];
    snprintf(line, sizeof line, "%-13.32s %.*s%s", key, SHOWN, text, strlen(text) > SHOWN ? "..." : "");
    puts(dd_scan_plain(line));
}

static void print_setting(const cJSON *item)
{
    char *number = cJSON_IsString(item) ? NULL : cJSON_PrintUnformatted(item);
    const char *text = cJSON_IsString(item) ? item->valuestring : number;
    if (text && *text)
        print_line(item->string, text);
    cJSON_free(number);
}

static void print_settings(const cJSON *root)
{
    for (const cJSON *item = root->child; item; item = item->next)
        if (!cJSON_IsArray(item))
            print_setting(item);
}

static void print_picture(const char *path, const struct picture *p, const struct stored_recipe *r, bool json)
{
    if (json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "picture", path);
        cJSON_AddNumberToObject(o, "width", p->width);
        cJSON_AddNumberToObject(o, "height", p->frames ? p->height / p->frames : p->height);
        if (p->frames)
            cJSON_AddNumberToObject(o, "frames", p->frames);
        cJSON_AddNumberToObject(o, "channels", p->channels);
        cJSON_AddNumberToObject(o, "bits", 8 * p->bytes);
        cJSON_AddItemToObject(o, "settings", cJSON_Duplicate(r->root, 1));
        json_line(o);
        return;
    }

    if (*r->recipe.model)
        puts("picture       made by ddpm with these settings; ddpm verify makes it again");
    else
        puts("picture       made by ddpm train with these settings, of the weights of that moment");

    int frames = p->frames ? p->frames : 1;
    printf("pixels        %d x %d, %d channel%s of %d bits", p->width, p->height / frames, p->channels,
           p->channels == 1 ? "" : "s", 8 * p->bytes);
    if (p->frames)
        printf(", %d frames", p->frames);
    putchar('\n');
    printf("images        %d, index", r->n);
    for (int i = 0; i < r->n && i < 8; i++)
        printf("%s %u", i ? "," : "", r->index[i]);
    puts(r->n > 8 ? ", ..." : "");
    print_settings(r->root);
}

/* Gives a film the fewest channels that hold its colours. */
static void reduce(struct picture *film)
{
    int channels = 1;
    while (channels < 4 && !film_channels(film, channels))
        channels++;
}

int info_picture(const char *path, bool json, ddpm_error *err)
{
    struct picture p = { .pixel = NULL };
    struct stored_recipe r = { .n = 0 };
    char *text = NULL;

    int code = picture_read(&p, &text, path, err);
    if (!code)
        code = recipe_read(&r, text, path, err);
    if (!code && p.frames)
        reduce(&p);
    if (!code)
        print_picture(path, &p, &r, json);

    recipe_free(&r);
    free(text);
    picture_free(&p);
    return code;
}

/* The numbers of images in a folder, by its manifests and files. */
struct count {
    size_t listed, made, lost; /* made: listed, and the file exists; lost: to NaN */
    uint32_t first, last;      /* smallest and largest index */
    int asked;                 /* images that the shards were asked for; 0: not written down */
};

/* Counts the images in the lines of l; `made` counts only those whose file exists. */
static void count_lines(struct count *c, const struct manifest *l, const char *folder)
{
    c->listed = l->lines;
    for (size_t i = 0; i < l->lines; i++) {
        const struct manifest_line *line = &l->line[i];
        char path[4096];
        struct dd_system_file f;
        int length = snprintf(path, sizeof path, "%s/%s", folder, line->ok ? line->file : "");
        c->made += line->ok && length < (int)sizeof path && dd_system_examine_link(&f, path) &&
                   f.kind == DD_SYSTEM_FILE;
        c->lost += !line->ok;
        c->first = !i || line->index < c->first ? line->index : c->first;
        c->last = line->index > c->last ? line->index : c->last;
    }
}

static void print_images(const char *path, const struct count *c, cJSON *root, bool json)
{
    if (json) {
        cJSON *o = cJSON_CreateObject();
        cJSON_AddStringToObject(o, "folder", path);
        cJSON_AddNumberToObject(o, "made", (double)c->made);
        cJSON_AddNumberToObject(o, "listed", (double)c->listed);
        cJSON_AddNumberToObject(o, "lost", (double)c->lost);
        if (c->asked)
            cJSON_AddNumberToObject(o, "asked", c->asked);
        cJSON_AddItemToObject(o, "settings", cJSON_Duplicate(root, 1));
        json_line(o);
        return;
    }

    printf("folder        of images, made by ddpm with these settings; ddpm verify makes some again\n");

    printf("images        %zu made of %zu %s", c->made, c->asked ? (size_t)c->asked : c->listed,
           c->asked ? "asked for" : "listed");
    if (c->lost)
        printf(", %zu lost to NaN", c->lost);
    if (c->listed)
        printf(", index %u to %u", c->first, c->last);
    putchar('\n');
    print_settings(root);
}

int info_images(const char *path, bool json, ddpm_error *err)
{
    struct shard_manifests p = { .count = 0 };
    struct manifest l = { .fd = -1 };
    struct count c = { .listed = 0 };
    cJSON *root = NULL;
    const struct manifest *first = NULL;
    uint32_t *asked = NULL;
    int code = shard_manifests_read(&p, path, NULL, NULL, err);

    /* All manifests have the same settings; a shard that was stopped at once has none yet. */
    for (size_t i = 0; i < p.count && !code && !first; i++)
        if (p.manifest[i].header)
            first = &p.manifest[i];
    if (!code && !first)
        code = dd_error(err, DDPM_EDATA,
                        "%s: its manifest is empty: the run that began it was stopped at once", path);
    if (!code)
        code = recipe_parse(&root, first->header, first->path, err);

    if (!code)
        code = shard_manifests_asked(&asked, &c.asked, &p, err);
    if (!code)
        code = manifest_join(&l, p.manifest, p.count, err);
    if (!code) {
        count_lines(&c, &l, path);
        print_images(path, &c, root, json);
    }

    cJSON_Delete(root);
    free(asked);
    manifest_free(&l);
    shard_manifests_free(&p);
    return code;
}
