/* Lists the formats in which images are written (image_format.h). */
#include "sample/image_format.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

static const struct image_format formats[] = {
    { "png", "png", true, false, 1 },
    { "png16", "png", true, false, 2 },
    { "npy", "npy", false, false, 4 },
    { "npz", "npz", false, true, 1 },
};

enum { FORMATS = sizeof formats / sizeof *formats };

const char *const *image_format_names(void)
{
    static const char *const names[] = { "png", "png16", "npy", "npz", NULL };
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
