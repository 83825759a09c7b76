/* Puts the numbers of Python that JSON does not have into quotes, so that the strict parser reads
   them as texts (python_json.h). */
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/json.h"
#include "base/kind.h"
#include "checkpoint/python_json.h"

/* The most bytes that a configuration may have. */
enum { CONFIG_BYTES_MAX = 4 << 20 };

static const char *const names[] = { "NaN", "Infinity", "-Infinity" };

/* Returns the name of a number at the beginning of text; NULL when there is none. */
static const char *name_at(const char *text, size_t size)
{
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (size >= strlen(names[i]) && !memcmp(text, names[i], strlen(names[i])))
            return names[i];
    return NULL;
}

/* Copies text to out, with quotes around the names outside of strings.  Returns the length, which is at
   most twice the size. */
static size_t quote_names(char *out, const char *text, size_t size)
{
    size_t n = 0;
    bool inside = false; /* inside of a string */

    for (size_t i = 0; i < size; i++) {
        const char *name = inside ? NULL : name_at(text + i, size - i);
        if (name) {
            size_t length = strlen(name);
            out[n++] = '"';
            memcpy(out + n, name, length);
            out[n + length] = '"';
            n += length + 1;
            i += length - 1;
            continue;
        }

        if (text[i] == '"')
            inside = !inside;
        out[n++] = text[i];

        /* An escaped quote does not end the string. */
        if (inside && text[i] == '\\' && i + 1 < size)
            out[n++] = text[++i];
    }
    return n;
}

int python_json_parse(cJSON **root, const char *text, size_t size, const char *name, ddpm_error *err)
{
    *root = NULL;

    /* A byte order mark before the text is skipped. */
    if (size >= 3 && !memcmp(text, "\xef\xbb\xbf", 3)) {
        text += 3;
        size -= 3;
    }
    if (size > CONFIG_BYTES_MAX)
        return dd_error(err, DDPM_EDATA, "%s: %zu bytes are too many for a configuration", name, size);

    char *quoted = malloc(2 * size + 1);
    if (!quoted)
        return dd_error(err, DDPM_ENOMEM, "%s: out of memory", name);
    int code = dd_json_parse(root, quoted, quote_names(quoted, text, size), name, err);
    free(quoted);
    return code;
}

int python_json_file(cJSON **root, const char *path, ddpm_error *err)
{
    struct dd_file file;
    *root = NULL;
    int code = dd_file_map(&file, path, err);
    if (code)
        return code;

    struct dd_kind kind = dd_kind(file.data, file.size);
    if (kind.is && !kind.text)
        code = dd_kind_error(err, path, kind, "JSON is expected");
    else
        code = python_json_parse(root, (const char *)file.data, file.size, path, err);
    dd_file_unmap(&file);

    if (!code && !cJSON_IsObject(*root)) {
        cJSON_Delete(*root);
        *root = NULL;
        return dd_error(err, DDPM_EDATA, "%s: an object in braces is expected", path);
    }
    return code;
}
