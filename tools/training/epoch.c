/* Word i of (seed, epoch) chooses among the i + 1 images not placed yet: floor(w (i + 1) / 2^32). */
#include "training/epoch.h"
#include <stdlib.h>
#include "base/error.h"
#include "base/rng.h"

enum { PLACES, FLIPS }; /* draw */

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
    return word >> 31;
}

int stream_open(struct stream *s, const struct dataset *data, uint64_t seed, bool flip, ddpm_error *err)
{
    const ddpm_about *a = data->about;

    *s = (struct stream){ .data = data, .seed = seed, .flip = flip, .epoch = UINT64_MAX };
    s->order = malloc(data->count * sizeof *s->order);
    s->x = malloc((size_t)a->height * (size_t)a->width * (size_t)a->channels * sizeof *s->x);
    return s->order && s->x
               ? DDPM_OK
               : dd_error(err, DDPM_ENOMEM, "out of memory for the order of %zu images", data->count);
}

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
    const ddpm_about *a = s->data->about;
    size_t d = (size_t)a->height * (size_t)a->width * (size_t)a->channels, count = s->data->count;
    int code = DDPM_OK;

    for (size_t row = 0; row < n && !code; row++) {
        uint64_t epoch = (position + row) / count;
        size_t place = (size_t)((position + row) % count);
        if (epoch != s->epoch)
            epoch_order(s->order, count, s->seed, (uint32_t)epoch);
        s->epoch = epoch;
        code = dataset_read(s->data, s->x, s->order[place], err);
        if (!code)
            put(x0 + row * d, s->x, a, s->flip && epoch_flip(s->seed, (uint32_t)epoch, place));
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
