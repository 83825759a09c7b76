/* A pixel of a picture becomes scale x scale pixels of the sheet, without smoothing.  16 bits a value become
   the nearest of 256 levels.  A sheet is gray if all its pictures are. */
#include "image/sheet.h"
#include <math.h>
#include <stdint.h>
#include <string.h>
#include "base/error.h"

int sheet_create(struct sheet *s, int n, int channels, ddpm_error *err)
{
    int rows = (n + s->columns - 1) / s->columns;
    double width = (double)s->columns * s->width * s->scale,
           height = (double)rows * ((double)s->height * s->scale + s->caption);

    s->picture = (struct picture){ .pixel = NULL };
    if (width * height * channels > PICTURE_MOST)
        return dd_error(
            err, DDPM_EUSAGE,
            "%d tiles of %d x %d pixels at scale %d make a sheet of %.0f x %.0f, which is too large: "
            "take a smaller --scale, or fewer pictures",
            n, s->width, s->height, s->scale, width, height);
    return picture_create(&s->picture, (int)width, (int)height, channels, 1, err);
}

/* Returns the pixel of the sheet at (x, y) of tile i, counted at the sheet's scale. */
static unsigned char *pixel_at(struct sheet *s, int i, int x, int y)
{
    size_t row = (size_t)(i / s->columns) * (size_t)(s->height * s->scale + s->caption) + (size_t)y;
    size_t column = (size_t)(i % s->columns) * (size_t)(s->width * s->scale) + (size_t)x;
    return s->picture.pixel + (row * (size_t)s->picture.width + column) * (size_t)s->picture.channels;
}

/* Returns the level of a value, 0 to 255. */
static unsigned char level_of(const struct image_file *p, size_t i)
{
    uint16_t wide;
    if (p->bytes == 1)
        return p->value[i];
    memcpy(&wide, p->value + 2 * i, sizeof wide);
    return (unsigned char)rint(wide / 257.0);
}

void sheet_put(struct sheet *s, int i, const struct image_file *p)
{
    int left = (s->width - p->width) / 2 * s->scale, top = (s->height - p->height) / 2 * s->scale;
    int channels = s->picture.channels;

    for (int y = 0; y < p->height * s->scale; y++)
        for (int x = 0; x < p->width * s->scale; x++) {
            unsigned char *to = pixel_at(s, i, left + x, top + y);
            size_t from = (size_t)(y / s->scale) * (size_t)p->width + (size_t)(x / s->scale);

            /* A gray picture has the same level in every channel. */
            for (int c = 0; c < channels; c++)
                to[c] = level_of(p, from * (size_t)p->channels + (p->channels < 3 ? 0 : (size_t)c));
        }
}

void sheet_caption(struct sheet *s, int i, const struct picture *p)
{
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            memcpy(pixel_at(s, i, x, s->height * s->scale + y),
                   p->pixel + 3 * ((size_t)y * (size_t)p->width + (size_t)x), (size_t)s->picture.channels);
}

void sheet_free(struct sheet *s)
{
    picture_free(&s->picture);
}
