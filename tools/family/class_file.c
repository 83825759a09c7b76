/* Reads the names of classes from a file of lines (class_file.h). */
#include "family/class_file.h"
#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/scan.h"

/* The most bytes of a name. */
enum { NAME = 200 };

/* Adds the name in line k, of `size` bytes without its end. */
static int add_name(cJSON *names, const char *line, size_t size, int k, const char *path, ddpm_error *err)
{
    char name[NAME + 1];
    while (size && (line[size - 1] == '\r' || line[size - 1] == ' '))
        size--;
    if (!size || size > NAME)
        return dd_error(err, DDPM_EDATA, "%s: line %d has %zu bytes, expected the name of a class, 1 to %d",
                        path, k + 1, size, NAME);

    memcpy(name, line, size);
    name[size] = 0;
    cJSON *text = strlen(name) == size ? cJSON_CreateString(dd_scan_plain(name)) : NULL;
    if (text && cJSON_AddItemToArray(names, text))
        return DDPM_OK;
    cJSON_Delete(text);
    return strlen(name) == size ? dd_error_memory(err, path)
                                : dd_error(err, DDPM_EDATA, "%s: line %d has a zero byte", path, k + 1);
}

/* Adds the names in all lines.  The last one may have no end. */
static int add_lines(cJSON *names, const struct dd_file *f, const char *path, int classes, ddpm_error *err)
{
    const char *at = (const char *)f->data, *end = at + f->size;
    int n = 0, code = DDPM_OK;

    for (; at < end && n <= classes && !code; n++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((line_end ? line_end : end) - at);
        if (n < classes)
            code = add_name(names, at, size, n, path, err);
        at = line_end ? line_end + 1 : end;
    }
    if (!code && n != classes)
        code = dd_error(err, DDPM_EDATA, "%s: %s names, one a line, for a model of %d classes", path,
                        n < classes ? "too few" : "too many", classes);
    return code;
}

int class_file_read(cJSON **names, const char *path, int classes, ddpm_error *err)
{
    struct dd_file f;
    *names = NULL;
    if (!classes)
        return dd_error(err, DDPM_EUSAGE, "class_names=%s: the model has no classes: leave it out", path);

    int code = dd_file_map(&f, path, err);
    if (code)
        return code;
    *names = cJSON_CreateArray();
    code = *names ? add_lines(*names, &f, path, classes, err) : dd_error_memory(err, path);
    dd_file_unmap(&f);

    if (code) {
        cJSON_Delete(*names);
        *names = NULL;
    }
    return code;
}
