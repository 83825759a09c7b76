/* A pixel's level 0..255 becomes x = level / 127.5 - 1, the inverse of the map by which a PNG is written. */
#include "sample/start_image.h"
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include "base/error.h"
#include "base/hash.h"
#include "image/view.h"

/* Hashes the pixels as bytes or, if the picture has 16 bits, as float32. */
static int hash_pixels(struct start_image *s, size_t d, bool bytes)
{
    struct dd_hash h;
    if (dd_hash_begin(&h))
        return DDPM_ENOMEM;

    for (size_t e = 0; e < d; e++) {
        float value = (float)s->x[e];
        unsigned char level = (unsigned char)rint(127.5 * (s->x[e] + 1));
        if (bytes)
            dd_hash_add(&h, &level, sizeof level);
        else
            dd_hash_add(&h, &value, sizeof value);
    }

    dd_hash_end(&h, s->sha256);
    return DDPM_OK;
}

int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, ddpm_error *err)
{
    struct image_file p;
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels;

    *s = (struct start_image){ .x = NULL };
    int code = image_file_head(&p, path, err);
    if (code)
        return code;

    /* A channel of transparency (the second or the fourth) is left out. */
    bool same = p.channels == a->channels || (p.channels % 2 == 0 && p.channels - 1 == a->channels);
    if (p.width != a->width || p.height != a->height || !same)
        return dd_error(err, DDPM_EDATA,
                        "%s has %d x %d pixels (width x height) of %d channel%s, "
                        "the model makes %d x %d of %d: scale or convert it first",
                        path, p.width, p.height, p.channels, p.channels == 1 ? "" : "s", a->width, a->height,
                        a->channels);

    s->x = malloc(d * sizeof *s->x);
    code = s->x ? view_picture(s->x, &p, path, a, VIEW_EXACT, err) : DDPM_ENOMEM;
    if (!code)
        code = hash_pixels(s, d, p.bytes == 1);
    if (code == DDPM_ENOMEM)
        return dd_error(err, DDPM_ENOMEM, "out of memory for the pixels of %s", path);
    return code;
}

void start_image_close(struct start_image *s)
{
    free(s->x);
    s->x = NULL;
}
