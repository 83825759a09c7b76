/* Writes pictures as PNG and reads them back, with libspng (PNG, third edition).

   The settings stand in a tEXt chunk with the keyword `ddpm`, from which ddpm verify reads them.  Viewers
   show keywords that the standard lists (11.3.3.2), so two of those repeat them for people: Software names
   the program, Description has the settings as "key value, key value". */
#include <cjson/cJSON.h>
#include <errno.h>
#include <spng.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "image/film.h"
#include "base/file.h"
#include "image/image_file.h"
#include "image/picture.h"

enum { SIGNATURE = 8, TEXTS = 3 };

static const char keyword[] = "ddpm";

/* ---- texts for people ---- */

/* A Description is at most this long, and a value in it, such as a list of 1,000 steps. */
enum { DESCRIPTION = 1000, VALUE = 80 };

/* Appends "key value" to text [DESCRIPTION], unless the value is empty or is the program, which Software
   names.  tEXt is Latin-1, so bytes beyond ASCII become question marks.  Returns false when out of memory. */
static bool describe_member(char *text, const cJSON *member)
{
    char *json = cJSON_IsString(member) ? NULL : cJSON_PrintUnformatted(member);
    const char *value = json ? json : cJSON_GetStringValue(member);
    size_t n = strlen(text);
    bool known = value != NULL;

    if (known && *value && strcmp(member->string, "program")) {
        const char *cut = strlen(value) > VALUE ? "..." : "";
        snprintf(text + n, DESCRIPTION - n, "%s%s %.*s%s", n ? ", " : "", member->string, VALUE, value, cut);
    }
    for (char *c = text + n; *c; c++)
        *c = *c < ' ' || *c > '~' ? '?' : *c;
    cJSON_free(json);
    return known;
}

/* Fills description [DESCRIPTION] with the members of a text that is a JSON object, and *root with the
   object.  Returns false when out of memory. */
static bool describe(cJSON **root, char *description, const char *text)
{
    const cJSON *member;
    bool done = true;
    *root = *text == '{' ? cJSON_Parse(text) : NULL;
    if (*text == '{' && !*root)
        return false;

    cJSON_ArrayForEach(member, *root)
        done = done && describe_member(description, member);
    return done;
}

/* Adds a text to the list t [*n]; none where the text is missing or empty. */
static void add_text(struct spng_text *t, unsigned *n, const char *key, const char *text)
{
    if (!text || !*text)
        return;

    t[*n] = (struct spng_text){ .type = SPNG_TEXT, .length = strlen(text), .text = (char *)(uintptr_t)text };
    snprintf(t[*n].keyword, sizeof t[*n].keyword, "%s", key);
    ++*n;
}

/* ---- writing ---- */

static int write_failed(int status, const struct picture *p, ddpm_error *err)
{
    if (status == SPNG_IO_ERROR)
        return dd_error(err, DDPM_EIO, "cannot write the picture: %s", strerror(errno));
    if (status == SPNG_EMEM || status == SPNG_EZLIB_INIT)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the file of a picture of %d x %d", p->width,
                        p->height);
    return dd_error(err, DDPM_EIO, "cannot write the picture: %s", spng_strerror(status));
}

/* Writes the picture with n texts.  Returns a status of libspng. */
static int encode(spng_ctx *c, FILE *f, const struct picture *p, struct spng_text *text, unsigned n)
{
    static const uint8_t type[] = { SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA,
                                    SPNG_COLOR_TYPE_TRUECOLOR, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA };
    struct spng_ihdr head = {
        .width = (uint32_t)p->width,
        .height = (uint32_t)p->height,
        .bit_depth = (uint8_t)(8 * p->bytes),
        .color_type = type[p->channels - 1],
    };
    size_t size = (size_t)p->width * (size_t)p->height * (size_t)p->channels * (size_t)p->bytes;

    int status = spng_set_png_file(c, f);
    if (!status)
        status = spng_set_ihdr(c, &head);
    if (!status && n)
        status = spng_set_text(c, text, n);
    return status ? status : spng_encode_image(c, p->pixel, size, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
}

int picture_write(FILE *f, const struct picture *p, const char *text, ddpm_error *err)
{
    struct spng_text list[TEXTS];
    char description[DESCRIPTION] = "";
    unsigned n = 0;
    cJSON *root;
    bool described = describe(&root, description, text);
    const char *program = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(root, "program"));

    add_text(list, &n, keyword, text);
    add_text(list, &n, "Software", program);
    add_text(list, &n, "Description", description);

    spng_ctx *c = described ? spng_ctx_new(SPNG_CTX_ENCODER) : NULL;
    int status = c ? encode(c, f, p, list, n) : SPNG_EMEM;
    spng_ctx_free(c);
    cJSON_Delete(root);
    return status ? write_failed(status, p, err) : DDPM_OK;
}

/* ---- reading ---- */

int picture_read_memory(struct picture *p, char **text, const unsigned char *data, size_t size,
                        const char *path, ddpm_error *err)
{
    struct image_file file = { .value = NULL };
    p->pixel = NULL;
    *text = NULL;

    if (film_is(data, size))
        return film_read_memory(p, text, data, size, path, err);
    if (size < SIGNATURE || memcmp(data, "\x89PNG\r\n\x1a\n", SIGNATURE))
        return dd_error(err, DDPM_EDATA, "%s is not a PNG file, nor a film", path);
    int code = image_file_text(text, data, size, keyword, path, err);
    if (code)
        return code;
    if (!*text)
        return dd_error(
            err, DDPM_EDATA,
            "%s: is a PNG picture that holds no settings of ddpm: it was not made by ddpm sample, or another "
            "program rewrote it",
            path);

    code = image_file_read_memory(&file, data, size, path, err);
    if (!code) {
        *p = (struct picture){ file.width, file.height, file.channels, file.bytes, file.value, 0 };
        return DDPM_OK;
    }
    image_file_free(&file);
    free(*text);
    *text = NULL;
    return code;
}

int picture_read(struct picture *p, char **text, const char *path, ddpm_error *err)
{
    struct dd_file f;
    p->pixel = NULL;
    *text = NULL;
    int code = dd_file_map(&f, path, err);
    if (!code)
        code = picture_read_memory(p, text, f.data, f.size, path, err);
    dd_file_unmap(&f);
    return code;
}
