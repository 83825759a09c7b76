/* Makes pictures of images (picture.h).  A pixel is clamp(rint(w (x + 1)), 0, 2 w), half to even, for every
   model, where white 2 w is 255 for values of one byte and 65535 for values of two. */
#include "image/picture.h"
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/error.h"

int picture_create(struct picture *p, int width, int height, int channels, int bytes, ddpm_error *err)
{
    if (channels < 1 || channels > 4)
        return dd_error(err, DDPM_EUSAGE, "PNG has 1 to 4 channels and the model %d: use --format npy",
                        channels);
    if ((double)width * height * channels * bytes > PICTURE_MOST)
        return dd_error(err, DDPM_EUSAGE, "a picture of %d x %d pixels is too large: use --outdir", width,
                        height);

    *p = (struct picture){ width, height, channels, bytes, NULL, 0 };
    p->pixel = calloc((size_t)width * (size_t)height, (size_t)channels * (size_t)bytes);
    if (!p->pixel)
        return dd_error(err, DDPM_ENOMEM, "out of memory for a picture of %d x %d", width, height);
    return DDPM_OK;
}

void picture_free(struct picture *p)
{
    free(p->pixel);
    p->pixel = NULL;
}

int picture_level(const struct picture *p, size_t i)
{
    uint16_t wide;
    if (p->bytes == 1)
        return p->pixel[i];
    memcpy(&wide, p->pixel + 2 * i, sizeof wide);
    return wide;
}

/* ---- tiles ---- */

unsigned picture_level_of(double x, int white)
{
    double v = rint(white / 2.0 * (x + 1));
    if (v >= white)
        return (unsigned)white;
    return v > 0 ? (unsigned)v : 0;
}

/* Returns the first pixel of row y of tile i, in a picture of `columns` tiles a row. */
static unsigned char *tile_row(struct picture *p, int i, int columns, int y, int height, int width)
{
    size_t row = (size_t)(i / columns) * (size_t)height + (size_t)y;
    size_t column = (size_t)(i % columns) * (size_t)width;
    return p->pixel + (row * (size_t)p->width + column) * (size_t)p->channels * (size_t)p->bytes;
}

void picture_tile(struct picture *p, int i, int columns, const double *x, int height, int width)
{
    int n = width * p->channels;
    for (int y = 0; y < height; y++) {
        unsigned char *row = tile_row(p, i, columns, y, height, width);
        for (int k = 0; k < n; k++) {
            uint16_t wide = (uint16_t)picture_level_of(x[y * n + k], p->bytes == 2 ? 65535 : 255);
            if (p->bytes == 2)
                memcpy(row + 2 * k, &wide, sizeof wide);
            else
                row[k] = (unsigned char)wide;
        }
    }
}

void picture_cross(struct picture *p, int i, int columns, int height, int width)
{
    int pixel = p->channels * p->bytes;
    for (int y = 0; y < height; y++) {
        unsigned char *row = tile_row(p, i, columns, y, height, width);
        for (int k = 0; k < width; k++)
            /* Diagonal lines in both directions, every eight pixels. */
            memset(row + k * pixel, (k + y) % 8 == 0 || (k - y) % 8 == 0 ? 255 : 0, (size_t)pixel);
    }
}

void picture_enlarge(struct picture *large, const struct picture *p, int first, int scale)
{
    size_t pixel = (size_t)p->channels * (size_t)p->bytes;
    for (int y = 0; y < large->height; y++)
        for (int x = 0; x < large->width; x++)
            memcpy(large->pixel + ((size_t)y * (size_t)large->width + (size_t)x) * pixel,
                   p->pixel + ((size_t)(first + y / scale) * (size_t)p->width + (size_t)(x / scale)) * pixel,
                   pixel);
}
