/* Writes a manifest.  Every line is appended by one write and synchronised, so a crash can tear
   only the last line; it is cut off before the next line is added. */
#include <cjson/cJSON.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/file.h"
#include "base/system.h"
#include "outdir/manifest.h"

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
    size_t size = strlen(line) + 1;
    line[size - 1] = '\n'; /* replaces the zero: from here on the line is no string */

    if (dd_system_write(l->fd, line, size) && dd_system_flush_data(l->fd)) {
        l->size += size;
        return DDPM_OK;
    }

    int number = errno;
    if (!dd_system_cut(l->fd, l->size))
        number = number ? number : errno;
    return dd_error(err, DDPM_EIO, "%s: cannot be written: %s", l->path, strerror(number));
}

/* The file of a shard is also its lock, so it may not be replaced by a rename; its header is
   appended. */
int manifest_open(struct manifest *l, const char *header, bool replace, ddpm_error *err)
{
    bool begins = replace || !l->header;
    int code = begins && !l->part ? begin_file(l, header, replace || l->size == 0, err) : DDPM_OK;
    if (code)
        return code;

    l->fd = dd_system_open(l->path, DD_SYSTEM_APPEND | DD_SYSTEM_NO_LINK);
    if (l->fd < 0)
        return dd_error(err, dd_file_code(errno, DDPM_ECREATE), "%s: cannot be opened for more lines: %s",
                        l->path, strerror(errno));

    if (begins && !l->part)
        l->size = strlen(header) + 1;
    else if (l->torn && (!dd_system_cut(l->fd, l->size) || !dd_system_flush(l->fd)))
        return dd_error(err, DDPM_EIO, "%s: its torn last line cannot be cut off: %s", l->path,
                        strerror(errno));

    if (begins && l->part) {
        char *line = strdup(header);
        code = line ? append(l, line, err) : dd_error_memory(err, l->path);
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
    int code = text ? append(l, text, err) : dd_error_memory(err, l->path);
    cJSON_free(text);
    return code;
}

int manifest_ask(struct manifest *l, const char *list, ddpm_error *err)
{
    cJSON *o = cJSON_CreateObject();
    char *text = cJSON_AddStringToObject(o, "asked", list) ? cJSON_PrintUnformatted(o) : NULL;
    int code = text ? append(l, text, err) : dd_error_memory(err, l->path);
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
            code = dd_error_memory(err, l->path);
        cJSON_free(text);
    }

    if (!code)
        return dd_output_commit(&o, err);
    dd_output_abandon(&o);
    return code;
}
