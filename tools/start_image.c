/* x = pixel / 127.5 - 1, the inverse of what a PNG is written by. */
#include "start_image.h"
#include <stdlib.h>
#include "base/error.h"
#include "base/hash.h"
#include "picture.h"

static int take_pixels(struct start_image *s, const struct picture *p, const char *path, const ddpm_about *a, ddpm_error *err)
{
    struct dd_hash h;
    size_t d = (size_t)p->width * (size_t)p->height * (size_t)p->channels;
    if (p->width != a->width || p->height != a->height || p->channels != a->channels)
        return dd_error(err, DDPM_EDATA, "%s has %d x %d pixels of %d channels, the model makes %d x %d of %d", path, p->width, p->height,
                        p->channels, a->width, a->height, a->channels);
    s->x = malloc(d * sizeof *s->x);
    if (!s->x || dd_hash_begin(&h))
        return dd_error(err, DDPM_ENOMEM, "out of memory for the pixels of %s", path);
    for (size_t e = 0; e < d; e++)
        s->x[e] = p->pixel[e] / 127.5 - 1;
    dd_hash_add(&h, p->pixel, d);
    dd_hash_end(&h, s->sha256);
    return DDPM_OK;
}

int start_image_open(struct start_image *s, const char *path, const ddpm_about *a, ddpm_error *err)
{
    struct picture p;
    *s = (struct start_image){ .x = NULL };
    int code = picture_pixels(&p, path, err);
    if (!code)
        code = take_pixels(s, &p, path, a, err);
    picture_free(&p);
    return code;
}

void start_image_close(struct start_image *s)
{
    free(s->x);
    s->x = NULL;
}
