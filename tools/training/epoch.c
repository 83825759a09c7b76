/* The shuffle goes from the last place to the first.  Place i gets one of the i + 1 images that have no place
   yet: number floor(w (i + 1) / 2^32), where w is the random word i for (seed, epoch).  Words are made in
   blocks of 256, the last block first. */
#include "training/epoch.h"
#include <stdlib.h>
#include <zlib.h>
#include "base/error.h"
#include "base/rng.h"

enum { PLACES, FLIPS }; /* the draws of the purpose "order of data" */

void epoch_order(uint32_t *order, size_t n, uint64_t seed, uint32_t epoch)
{
    struct dd_rng r = { .seed = seed, .index = epoch, .purpose_draw = (uint32_t)DD_RNG_ORDER << 24 | PLACES };
    uint32_t word[256];

    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;

    for (size_t block = (n + 255) / 256; block-- > 0;) {
        size_t first = block * 256, m = n - first < 256 ? n - first : 256;
        dd_rng_words(&r, word, first, m);
        for (size_t i = first + m; i-- > first;) {
            size_t j = (size_t)((uint64_t)word[i - first] * (i + 1) >> 32);
            uint32_t kept = order[i];
            order[i] = order[j];
            order[j] = kept;
        }
    }
}

bool epoch_flip(uint64_t seed, uint32_t epoch, size_t place)
{
    struct dd_rng r = { .seed = seed, .index = epoch, .purpose_draw = (uint32_t)DD_RNG_ORDER << 24 | FLIPS };
    uint32_t word;
    dd_rng_words(&r, &word, place, 1);
    return word >> 31; /* the highest bit */
}

static size_t values_of(const ddpm_about *a)
{
    return (size_t)a->height * (size_t)a->width * (size_t)a->channels;
}

uint32_t epoch_checksum(const double *x, size_t d)
{
    uLong sum = crc32(0, NULL, 0);

    for (size_t e = 0; e < d; e++) {
        float v = (float)x[e];
        sum = crc32(sum, (const Bytef *)&v, sizeof v);
    }
    return (uint32_t)sum;
}

int epoch_check(const struct dataset *data, const uint32_t *check, const double *x, size_t k, ddpm_error *err)
{
    uint32_t index = data->index[k];

    if (!check || check[index] == epoch_checksum(x, values_of(data->about)))
        return DDPM_OK;
    if (data->folder.files)
        return dd_error(err, DDPM_EDATA, "%s/%s: has changed since the training began", data->path,
                        data->folder.file[index]);
    return dd_error(err, DDPM_EDATA, "%s: image %u has changed since the training began", data->path, index);
}

int stream_open(struct stream *s, const struct dataset *data, const uint32_t *check, uint64_t seed, bool flip,
                ddpm_error *err)
{
    *s = (struct stream){ .data = data,
                          .check = check,
                          .d = values_of(data->about),
                          .seed = seed,
                          .flip = flip,
                          .epoch = UINT64_MAX };
    s->order = malloc(data->count * sizeof *s->order);
    s->x = malloc(s->d * sizeof *s->x);
    if (s->order && s->x)
        return DDPM_OK;
    return dd_error(err, DDPM_ENOMEM, "out of memory for the order of %zu images", data->count);
}

/* Copies an image x [h, w, c] as float; flip: mirrored, left to right. */
static void put(float *out, const double *x, const ddpm_about *a, bool flip)
{
    int h = a->height, w = a->width, c = a->channels;

    for (int y = 0; y < h; y++)
        for (int k = 0; k < w; k++)
            for (int i = 0; i < c; i++)
                *out++ = (float)x[(y * w + (flip ? w - 1 - k : k)) * c + i];
}

int stream_read(struct stream *s, float *x0, int32_t *classes, uint64_t position, size_t n, ddpm_error *err)
{
    size_t count = s->data->count;
    int code = DDPM_OK;

    for (size_t row = 0; row < n && !code; row++) {
        uint64_t epoch = (position + row) / count;
        size_t place = (size_t)((position + row) % count);

        /* The order is made once per epoch. */
        if (epoch != s->epoch)
            epoch_order(s->order, count, s->seed, (uint32_t)epoch);
        s->epoch = epoch;
        code = dataset_read(s->data, s->x, s->order[place], err);
        if (!code)
            code = epoch_check(s->data, s->check, s->x, s->order[place], err);
        if (!code)
            put(x0 + row * s->d, s->x, s->data->about,
                s->flip && epoch_flip(s->seed, (uint32_t)epoch, place));
        classes[row] = code ? 0 : dataset_class(s->data, s->order[place]);
    }
    return code;
}

void stream_close(struct stream *s)
{
    free(s->order);
    free(s->x);
    *s = (struct stream){ .data = NULL };
}
