/* Reads --size and gives a model that size.  Sizes are written as they are printed: width x height. */
#include "cli/image_size.h"
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/error.h"

/* Reads a side of 1 to 5 digits, and moves *text behind it.  Returns 0 if there is none. */
static int parse_side(const char **text)
{
    int digits = 0, side = 0;
    for (; isdigit((unsigned char)**text) && digits < 5; digits++)
        side = 10 * side + *(*text)++ - '0';
    return side;
}

bool image_size_parse(struct image_size *s, const char *text)
{
    s->width = s->height = parse_side(&text);
    if (s->width && *text == 'x') {
        text++;
        s->height = parse_side(&text);
    }
    return s->width && s->height && !*text;
}

const char *image_size_text(char text[IMAGE_SIZE_TEXT], struct image_size s)
{
    snprintf(text, IMAGE_SIZE_TEXT, "%dx%d", s.width, s.height);
    return text;
}

const char *image_size_model(char text[IMAGE_SIZE_MODEL], const char *id, struct image_size s)
{
    char size[IMAGE_SIZE_TEXT];
    snprintf(text, IMAGE_SIZE_MODEL, "%.64s%s%s", id, s.width ? " at " : "",
             s.width ? image_size_text(size, s) : "");
    return text;
}

int image_size_apply(ddpm_model *m, const char *option, struct image_size *other, const struct command *c,
                     const struct common *common, ddpm_error *err)
{
    const ddpm_about *a = ddpm_model_about(m);
    struct image_size own = { a->width, a->height }, wanted = own;

    if (other)
        *other = (struct image_size){ 0 };
    if (option && !image_size_parse(&wanted, option))
        return dd_error(err, DDPM_EUSAGE, "--size %.40s: expected width x height, such as 48x64, or one side",
                        option);
    if (wanted.width == own.width && wanted.height == own.height)
        return DDPM_OK;

    int code = ddpm_model_resize(m, wanted.height, wanted.width, err);
    if (code) {
        dd_error_context(err, "--size");
        return code;
    }

    if (other)
        *other = wanted;
    remark(c, common, "images of %d x %d pixels (width x height); the model was trained at %d x %d",
           wanted.width, wanted.height, own.width, own.height);
    return DDPM_OK;
}
