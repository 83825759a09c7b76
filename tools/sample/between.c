/* Frame f of n lies at the part u = f / (n - 1) of the great circle (ddpm_slerp).  So frame 0 is the image of
   the first end, to the bit, and frame n - 1 that of the second. */
#include "sample/between.h"
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"
#include "base/system.h"
#include "cli/command_model.h"

/* The word that stands for a picture in a recipe, whose `from` holds its hash. */
static const char picture[] = "picture";

/* Reads a number of at most INT32_MAX, which is n characters long. */
static bool read_index(uint32_t *index, const char *text, size_t n)
{
    unsigned long long value = 0;
    for (size_t i = 0; i < n && value <= INT32_MAX; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        value = 10 * value + (unsigned long long)(text[i] - '0');
    }
    *index = (uint32_t)value;
    return n && value <= INT32_MAX;
}

/* Checks that the picture of an end is there. */
static int check_picture(const char *path, ddpm_error *err)
{
    if (!dd_system_exists(path) && strspn(path, " +-.0123456789") == strlen(path))
        return dd_error(err, DDPM_EUSAGE,
                        "--between: %.200s is neither a picture nor an index, a whole number from 0 to %d",
                        path, INT32_MAX);
    if (dd_system_is_folder(path))
        return dd_error(err, DDPM_EUSAGE,
                        "--between: %.200s is a folder, expected a picture or the index of an image", path);
    return input_check(path, err);
}

int between_read(struct between *b, char **pictures, const char *text, ddpm_error *err)
{
    const char *comma = strchr(text, ',');
    *b = (struct between){ .frames = 0 };
    if (pictures)
        *pictures = NULL;
    if (!comma || comma == text || !comma[1] || strchr(comma + 1, ','))
        return dd_error(err, DDPM_EUSAGE,
                        "--between %.200s: expected two images A,B, each the index of one or a picture",
                        text);

    char *list = strdup(text);
    if (!list)
        return dd_error_memory(err, "the ends of --between");
    char *second = list + (comma - text) + 1;
    second[-1] = 0;
    b->picture[0] = !read_index(&b->index[0], list, strlen(list));
    b->picture[1] = !read_index(&b->index[1], second, strlen(second));

    int code = b->picture[0] ? check_picture(list, err) : DDPM_OK;
    if (!code && b->picture[1])
        code = check_picture(second, err);

    /* The list of the pictures: both, the first alone, or the second alone. */
    if (b->picture[0] && b->picture[1])
        second[-1] = ',';
    else if (b->picture[1])
        memmove(list, second, strlen(second) + 1);
    if (!code && pictures && between_pictures(b))
        *pictures = list;
    else
        free(list);
    return code;
}

int between_pictures(const struct between *b)
{
    return b->picture[0] + b->picture[1];
}

const char *between_text(char text[BETWEEN_TEXT], const struct between *b)
{
    char end[2][BETWEEN_TEXT / 2 - 1];
    for (int k = 0; k < 2; k++)
        if (b->picture[k])
            snprintf(end[k], sizeof end[k], "%s", picture);
        else
            snprintf(end[k], sizeof end[k], "%" PRIu32, b->index[k]);
    snprintf(text, BETWEEN_TEXT, "%s,%s", end[0], end[1]);
    return text;
}

bool between_parse(struct between *b, const char *text)
{
    const char *comma = strchr(text, ','), *end[2] = { text, comma ? comma + 1 : "" };
    size_t n[2] = { comma ? (size_t)(comma - text) : 0, strlen(end[1]) };

    *b = (struct between){ .frames = 0 };
    for (int k = 0; k < 2; k++) {
        b->picture[k] = n[k] == strlen(picture) && !strncmp(end[k], picture, n[k]);
        if (!b->picture[k] && !read_index(&b->index[k], end[k], n[k]))
            return false;
    }
    return true;
}

void between_frame(const struct between *b, double *x, uint32_t frame, size_t d)
{
    ddpm_slerp(x, b->x, b->x + d, (double)frame / (b->frames - 1), d);
}

void between_close(struct between *b)
{
    free(b->x);
    *b = (struct between){ .frames = 0 };
}
