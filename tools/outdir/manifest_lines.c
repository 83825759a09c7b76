/* Reads the lines of a manifest: the settings, one line for each image, and the list of a shard.
   A bad line is an error, unless it is the last one, which a crash may have torn. */
#include <cjson/cJSON.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/folder.h"
#include "outdir/manifest.h"

/* Returns whether `file` may be the name of image `index`.  It has the number in it and no
   folder, and is not one of the program's own files. */
static bool fits(const char *file, uint32_t index)
{
    char number[16];
    snprintf(number, sizeof number, "%" PRIu32, index);
    return strstr(file, number) && !strchr(file, '/') && !folder_own_name(file);
}

static bool consists_of(const char *text, const char *characters, size_t least, size_t most)
{
    size_t n = strlen(text);
    return n >= least && n <= most && strspn(text, characters) == n;
}

/* Checks the texts in a line; sha256 or seed is NULL if the line has none. */
static int check_texts(const char *file, uint32_t index, const char *sha256, const char *seed,
                       const char *where, ddpm_error *err)
{
    if (!fits(file, index))
        return dd_error(err, DDPM_EDATA,
                        "%s: file is \"%.80s\", expected the name of image %" PRIu32 " in this folder", where,
                        file, index);
    if (sha256 && !consists_of(sha256, "0123456789abcdef", 64, 64))
        return dd_error(err, DDPM_EDATA, "%s: sha256 is \"%.80s\", expected 64 hexadecimal digits", where,
                        sha256);
    if (seed && !consists_of(seed, "0123456789", 1, 20))
        return dd_error(err, DDPM_EDATA, "%s: seed is \"%.40s\", expected a whole number of 64 bits", where,
                        seed);
    return DDPM_OK;
}

static int read_fields(struct manifest_line *line, const cJSON *root, const char *where, ddpm_error *err)
{
    static const char *const states[] = { "ok", "nan", NULL };
    struct dd_json j;

    /* A line about a finished image has a hash; one about a lost image has the step and the seed. */
    dd_json_begin(&j, root, where, err);
    line->index = (uint32_t)dd_json_int(&j, "i", 0, INT32_MAX);

    const char *file = dd_json_text(&j, "file"), *sha256 = NULL, *seed = NULL;
    line->ok = dd_json_choice(&j, "status", states) == 0;
    if (line->ok) {
        sha256 = dd_json_text(&j, "sha256");
    } else {
        line->step = dd_json_int(&j, "step", 0, 1000000000);
        seed = dd_json_text(&j, "seed");
    }
    line->seconds = dd_json_number(&j, "seconds", 0, 1e30);

    int code = dd_json_end(&j);
    if (!code)
        code = check_texts(file, line->index, sha256, seed, where, err);
    if (!code && !(line->file = strdup(file)))
        code = dd_error(err, DDPM_ENOMEM, "%s: out of memory", where);
    snprintf(line->sha256, sizeof line->sha256, "%s", sha256 ? sha256 : "");
    snprintf(line->seed, sizeof line->seed, "%s", seed ? seed : "");
    return code;
}

static int read_asked(struct manifest *l, const cJSON *root, const char *where, ddpm_error *err)
{
    struct dd_json j;
    dd_json_begin(&j, root, where, err);
    const char *asked = dd_json_text(&j, "asked");
    int code = dd_json_end(&j);
    if (code)
        return code;

    free(l->asked);
    l->asked = strdup(asked);
    return l->asked ? DDPM_OK : dd_error_memory(err, l->path);
}

/* Reads a line about an image into l, or the list of a shard into l->asked. */
static int read_line(struct manifest *l, const char *text, size_t size, size_t number, ddpm_error *err)
{
    char where[160];
    cJSON *root = NULL;
    struct manifest_line *more = dd_memory_more(l->line, l->lines, sizeof *more);
    if (!more)
        return dd_error_memory(err, l->path);

    l->line = more;
    struct manifest_line *line = &l->line[l->lines];
    *line = (struct manifest_line){ .place = l->lines };
    snprintf(where, sizeof where, "%.100s, line %zu", l->path, number);

    int code = dd_json_parse(&root, text, size, where, err);

    /* Only shards have lines that say which images are asked for. */
    bool asked = !code && l->part && cJSON_HasObjectItem(root, "asked");
    if (!code)
        code = asked ? read_asked(l, root, where, err) : read_fields(line, root, where, err);
    cJSON_Delete(root);
    l->lines += !code && !asked;
    return code;
}

/* Reads the first line, which holds the settings.  It must be an object; its members are not
   checked here. */
static int read_header(struct manifest *l, const char *text, size_t size, ddpm_error *err)
{
    cJSON *root = NULL;
    int code = dd_json_parse(&root, text, size, l->path, err);
    if (!code && !cJSON_IsObject(root))
        code = dd_error(err, DDPM_EDATA,
                        "%s: its first line is no JSON object, which would hold the settings", l->path);
    cJSON_Delete(root);
    if (code)
        return code;

    l->header = malloc(size + 1);
    if (!l->header)
        return dd_error_memory(err, l->path);
    memcpy(l->header, text, size);
    l->header[size] = 0;
    return DDPM_OK;
}

int manifest_lines(struct manifest *l, const char *text, size_t size, ddpm_error *err)
{
    const char *end = memchr(text, '\n', size);
    size_t number = 1;
    int code = DDPM_OK;
    if (!end && l->part) { /* the shard was killed at its first line, before there was an image to list */
        l->torn = size;
        return DDPM_OK;
    }
    if (size && !end)
        return dd_error(err, DDPM_EDATA,
                        "%s: its first line, which holds the settings, is not whole: "
                        "choose another folder",
                        l->path);
    if (size && (code = read_header(l, text, (size_t)(end - text), err)))
        return code;

    /* A bad line is an error, unless it is the last one, which a crash may have torn. */
    l->size = size ? (size_t)(end - text) + 1 : 0;
    while (l->size < size) {
        const char *line = text + l->size;
        end = memchr(line, '\n', size - l->size);
        code = end ? read_line(l, line, (size_t)(end - line), ++number, err) : DDPM_EDATA;
        bool last = !end || end + 1 == text + size;
        if (code && (code != DDPM_EDATA || !last))
            return code;
        if (code)
            break;
        l->size += (size_t)(end - line) + 1;
    }

    l->torn = size - l->size;
    return DDPM_OK;
}
