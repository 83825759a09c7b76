/* A manifest is a file of JSON lines.  Every line is appended by one write and synchronised, so a crash can
   tear only the last line; it is cut off before the next line is added. */
#include "outdir/manifest.h"
#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/memory.h"
#include "cli/folder.h"

static int out_of_memory(const struct manifest *l, ddpm_error *err)
{
    return dd_error_memory(err, l->path ? l->path : "a manifest");
}

/* Returns whether `file` may be the name of image `index`.  It has the number in it and no folder, and is not
   one of the program's own files. */
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
    return l->asked ? DDPM_OK : out_of_memory(l, err);
}

/* Reads a line about an image into l, or the list of a shard into l->asked. */
static int read_line(struct manifest *l, const char *text, size_t size, size_t number, ddpm_error *err)
{
    char where[160];
    cJSON *root = NULL;
    struct manifest_line *more = dd_memory_more(l->line, l->lines, sizeof *more);
    if (!more)
        return out_of_memory(l, err);

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

/* Reads the first line, which holds the settings.  It must be an object; its members are not checked here. */
static int read_header(struct manifest *l, const char *text, size_t size, ddpm_error *err)
{
    cJSON *root = NULL;
    int code = dd_json_parse(&root, text, size, l->path, err);
    if (!code && !cJSON_IsObject(root))
        code = dd_error(err, DDPM_EDATA,
                        "%s: its first line is no JSON object, which would hold the settings", l->path);
    cJSON_Delete(root);
    if (!code && !(l->header = strndup(text, size)))
        code = out_of_memory(l, err);
    return code;
}

/* Reads all lines of a manifest, and counts the bytes of a torn last line. */
static int read_lines(struct manifest *l, const char *text, size_t size, ddpm_error *err)
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

int manifest_hash(char hex[65], const char *path, ddpm_error *err)
{
    struct dd_file f;
    struct dd_hash h;
    int code = dd_file_map(&f, path, err);
    if (code)
        return code;
    if (dd_hash_begin(&h)) {
        code = dd_error(err, DDPM_ENOMEM, "out of memory for a hash");
    } else {
        dd_hash_add(&h, f.data, f.size);
        dd_hash_end(&h, hex);
    }
    dd_file_unmap(&f);
    return code;
}

/* Orders lines by image, and the lines about one image by the order in which they were read. */
static int by_place(const void *a, const void *b)
{
    const struct manifest_line *x = a, *y = b;
    if (x->index != y->index)
        return x->index < y->index ? -1 : 1;
    return (x->place > y->place) - (x->place < y->place);
}

/* Orders lines by image.  Among the lines about one image, those that are not lost come last. */
static int by_state(const void *a, const void *b)
{
    const struct manifest_line *x = a, *y = b;
    if (x->index == y->index && x->ok != y->ok)
        return x->ok ? 1 : -1;
    return by_place(a, b);
}

static void free_line(struct manifest_line *line)
{
    free(line->file);
    free(line->other);
}

/* Sorts the lines by `compare` and keeps the last one about each image. */
static void keep_last(struct manifest *l, int (*compare)(const void *, const void *))
{
    size_t kept = 0;
    if (l->lines)
        qsort(l->line, l->lines, sizeof *l->line, compare);
    for (size_t i = 0; i < l->lines; i++)
        if (i + 1 < l->lines && l->line[i + 1].index == l->line[i].index)
            free_line(&l->line[i]);
        else
            l->line[kept++] = l->line[i];
    l->lines = kept;
}

/* Notes in the line that will be kept, the last about its image, the hash of a line that contradicts it. */
static int note_contradictions(struct manifest *l, ddpm_error *err)
{
    if (l->lines)
        qsort(l->line, l->lines, sizeof *l->line, by_state);
    for (size_t i = 0; i + 1 < l->lines; i++) {
        const struct manifest_line *line = &l->line[i];
        struct manifest_line *next = &l->line[i + 1];
        if (line->index != next->index || !line->ok)
            continue;

        /* A hash that was noted before is handed on to the next line. */
        const char *hash = strcmp(line->sha256, next->sha256) ? line->sha256 : line->other;
        if (hash && !next->other && !(next->other = strdup(hash)))
            return out_of_memory(l, err);
    }
    return DDPM_OK;
}

static int by_name(const void *a, const void *b)
{
    const struct manifest_line *const *x = a, *const *y = b;
    return strcmp((*x)->file, (*y)->file);
}

/* Indexes the lines that are not lost by the names of their files.  DDPM_EDATA: two images share a file. */
static int order_files(struct manifest *l, ddpm_error *err)
{
    free(l->named);
    l->files = 0;
    l->named = malloc((l->lines + 1) * sizeof *l->named);
    if (!l->named)
        return out_of_memory(l, err);

    for (size_t i = 0; i < l->lines; i++)
        if (l->line[i].ok)
            l->named[l->files++] = &l->line[i];
    qsort(l->named, l->files, sizeof *l->named, by_name);

    for (size_t i = 1; i < l->files; i++)
        if (!strcmp(l->named[i - 1]->file, l->named[i]->file))
            return dd_error(err, DDPM_EDATA,
                            "%s: images %" PRIu32 " and %" PRIu32 " are both listed as "
                            "%.80s",
                            l->path ? l->path : "manifest.jsonl", l->named[i - 1]->index, l->named[i]->index,
                            l->named[i]->file);
    return DDPM_OK;
}

const struct manifest_line *manifest_named(const struct manifest *l, const char *file)
{
    size_t low = 0, high = l->files;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(l->named[middle]->file, file);
        if (!order)
            return l->named[middle];
        low = order < 0 ? middle + 1 : low;
        high = order < 0 ? high : middle;
    }
    return NULL;
}

int manifest_join(struct manifest *l, struct manifest *from, size_t count, ddpm_error *err)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t k = 0; k < from[i].lines; k++) {
            struct manifest_line *more = dd_memory_more(l->line, l->lines, sizeof *more);
            if (!more)
                return out_of_memory(l, err);
            l->line = more;
            l->line[l->lines++] = from[i].line[k];
            from[i].line[k].file = from[i].line[k].other = NULL; /* l owns them now */
        }
        from[i].lines = 0;
    }

    for (size_t k = 0; k < l->lines; k++)
        l->line[k].place = k;

    int code = note_contradictions(l, err);
    keep_last(l, by_state);
    return code ? code : order_files(l, err);
}

char *manifest_path(const char *folder, const char *part)
{
    size_t size = strlen(folder) + strlen(part) + sizeof "/manifest.jsonl";
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/manifest%s.jsonl", folder, part);
    return path;
}

int manifest_read(struct manifest *l, const char *folder, const char *part, ddpm_error *err)
{
    struct dd_file f;
    *l = (struct manifest){ .path = manifest_path(folder, part), .fd = -1, .part = *part };
    if (!l->path)
        return out_of_memory(l, err);

    int code = folder_regular(l->path, err);
    if (!code)
        code = dd_file_map(&f, l->path, err);
    if (code == DDPM_EMISSING) /* then there is no manifest yet, and l->header stays NULL */
        return DDPM_OK;
    if (!code) {
        code = read_lines(l, (const char *)f.data, f.size, err);
        dd_file_unmap(&f);
    }
    keep_last(l, by_place);
    return code;
}

const struct manifest_line *manifest_find(const struct manifest *l, uint32_t index)
{
    struct manifest_line *base = l->line;
    for (size_t n = l->lines; n;) {
        size_t half = n / 2;
        if (base[half].index == index)
            return &base[half];
        if (base[half].index < index) {
            base += half + 1;
            n -= half + 1;
        } else {
            n = half;
        }
    }
    return NULL;
}

static int begin_file(const struct manifest *l, const char *header, bool replace, ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, l->path, replace, err);
    if (code)
        return code;
    fprintf(o.stream, "%s\n", header);
    return dd_output_commit(&o, err);
}

/* Appends a line, whose zero at the end becomes a newline.  An append that fails is cut off again. */
static int append(struct manifest *l, char *line, ddpm_error *err)
{
    size_t done = 0, size = strlen(line) + 1;
    line[size - 1] = '\n'; /* replaces the zero: from here on the line is no string */
    while (done < size) {
        ssize_t n = write(l->fd, line + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        done += (size_t)n;
    }

    if (done == size && fdatasync(l->fd) == 0) {
        l->size += size;
        return DDPM_OK;
    }
    int number = errno;
    if (ftruncate(l->fd, (off_t)l->size))
        number = number ? number : errno;
    return dd_error(err, DDPM_EIO, "%s: cannot be written: %s", l->path, strerror(number));
}

/* The file of a shard is also its lock, so it may not be replaced by a rename; its header is appended. */
int manifest_open(struct manifest *l, const char *header, bool replace, ddpm_error *err)
{
    bool begins = replace || !l->header;
    int code = begins && !l->part ? begin_file(l, header, replace || l->size == 0, err) : DDPM_OK;
    if (code)
        return code;

    l->fd = open(l->path, O_WRONLY | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (l->fd < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened for more lines: %s",
                        l->path, strerror(errno));
    if (begins && !l->part)
        l->size = strlen(header) + 1;
    else if (l->torn && (ftruncate(l->fd, (off_t)l->size) || fsync(l->fd)))
        return dd_error(err, DDPM_EIO, "%s: its torn last line cannot be cut off: %s", l->path,
                        strerror(errno));
    if (begins && l->part) {
        char *line = strdup(header);
        code = line ? append(l, line, err) : out_of_memory(l, err);
        free(line);
    }
    return code;
}

/* Returns a line as JSON, to be released by cJSON_free; NULL: out of memory. */
static char *line_text(const struct manifest_line *line)
{
    cJSON *o = cJSON_CreateObject();
    bool whole = cJSON_AddNumberToObject(o, "i", line->index) &&
                 cJSON_AddStringToObject(o, "file", line->file) &&
                 (!line->ok || cJSON_AddStringToObject(o, "sha256", line->sha256)) &&
                 cJSON_AddStringToObject(o, "status", line->ok ? "ok" : "nan") &&
                 (line->ok || (cJSON_AddNumberToObject(o, "step", line->step) &&
                               cJSON_AddStringToObject(o, "seed", line->seed))) &&
                 cJSON_AddNumberToObject(o, "seconds", rint(1000 * line->seconds) / 1000);
    char *text = whole ? cJSON_PrintUnformatted(o) : NULL;
    cJSON_Delete(o);
    return text;
}

int manifest_add(struct manifest *l, const struct manifest_line *line, ddpm_error *err)
{
    char *text = line_text(line);
    int code = text ? append(l, text, err) : out_of_memory(l, err);
    cJSON_free(text);
    return code;
}

int manifest_ask(struct manifest *l, const char *list, ddpm_error *err)
{
    cJSON *o = cJSON_CreateObject();
    char *text = cJSON_AddStringToObject(o, "asked", list) ? cJSON_PrintUnformatted(o) : NULL;
    int code = text ? append(l, text, err) : out_of_memory(l, err);
    cJSON_free(text);
    cJSON_Delete(o);
    return code;
}

int manifest_write(const struct manifest *l, ddpm_error *err)
{
    struct dd_output o;
    int code = dd_output_create(&o, l->path, 1, err);
    if (code)
        return code;

    fprintf(o.stream, "%s\n", l->header);
    for (size_t i = 0; i < l->lines && !code; i++) {
        char *text = line_text(&l->line[i]);
        if (text)
            fprintf(o.stream, "%s\n", text);
        else
            code = out_of_memory(l, err);
        cJSON_free(text);
    }

    if (!code)
        return dd_output_commit(&o, err);
    dd_output_abandon(&o);
    return code;
}

void manifest_forget(struct manifest *l)
{
    for (size_t i = 0; i < l->lines; i++)
        free_line(&l->line[i]);
    free(l->line);
    free(l->named);
    free(l->header);
    free(l->asked);
    *l = (struct manifest){ .path = l->path, .fd = l->fd, .part = l->part };
}

void manifest_free(struct manifest *l)
{
    manifest_forget(l);
    if (l->path && l->fd >= 0)
        close(l->fd);
    free(l->path);
    *l = (struct manifest){ .fd = -1 };
}
