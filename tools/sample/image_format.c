/* Lists the formats in which images are written (image_format.h). */
#include "sample/image_format.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct image_format formats[] = {
    { .name = "png", .ending = "png", .picture = true, .bytes = 1 },
    { .name = "png16", .ending = "png", .picture = true, .bytes = 2 },
    { .name = "npy", .ending = "npy", .bytes = 4 },
    { .name = "npz", .ending = "npz", .archive = true, .bytes = 1 },
    { .name = "webp", .ending = "webp", .picture = true, .film = true, .bytes = 1 },
};

enum { FORMATS = sizeof formats / sizeof *formats };

const char *const *image_format_names(void)
{
    static const char *const names[] = { "png", "png16", "npy", "npz", "webp", NULL };
    return names;
}

const struct image_format *image_format_named(const char *name)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (!strcmp(formats[i].name, name))
            return &formats[i];
    return NULL;
}

const struct image_format *image_format_ending(const char *ending)
{
    for (size_t i = 0; i < FORMATS; i++)
        if (!strcasecmp(formats[i].ending, ending))
            return &formats[i];
    return NULL;
}
