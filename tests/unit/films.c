/* A film keeps every bit of its frames and its text, whatever their channels; a damaged one is refused. */
#include "tests/check.h"
#include "tools/image/film.h"

enum { W = 9, H = 7, FRAMES = 3 };

/* Fills a picture with levels from a small generator, in which alpha is 0 now and then. */
static void fill(struct picture *p, unsigned seed)
{
    size_t n = (size_t)p->width * (size_t)p->height * (size_t)p->channels;
    for (size_t i = 0; i < n; i++) {
        seed = 1664525 * seed + 1013904223;
        p->pixel[i] = seed >> 30 ? (unsigned char)(seed >> 16) : 0;
    }
}

/* Writes a film of FRAMES frames into *data, allocated.  Returns its size. */
static size_t write_film(unsigned char **data, struct picture *frame, const char *text)
{
    struct film m;
    FILE *f = fopen(check_path(check_folder(), "film.webp"), "w+b");
    CHECK(f && !film_begin(&m, 7, 3, NULL));
    for (int k = 0; k < FRAMES; k++)
        CHECK(!film_add(&m, &frame[k], NULL));
    CHECK(m.width == W && m.height == H && m.frames == FRAMES);
    CHECK(!film_write(&m, f, text, NULL));
    film_end(&m);

    size_t size = (size_t)ftell(f);
    *data = malloc(size);
    rewind(f);
    CHECK(*data && fread(*data, 1, size, f) == size);
    fclose(f);
    return size;
}

TEST(film, keeps_every_bit)
{
    for (int channels = 1; channels <= 4; channels++) {
        struct picture frame[FRAMES], p;
        unsigned char *data;
        char *text;
        ddpm_error err;
        size_t d = (size_t)(W * H * channels);
        for (int k = 0; k < FRAMES; k++) {
            REQUIRE(!picture_create(&frame[k], W, H, channels, 1, NULL));
            fill(&frame[k], (unsigned)(10 * channels + k));
        }
        size_t size = write_film(&data, frame, "{\"a\":1}");

        REQUIRE(film_is(data, size) && !film_read_memory(&p, &text, data, size, "film", &err));
        CHECK(!strcmp(text, "{\"a\":1}"));
        CHECK(p.frames == FRAMES && p.width == W && p.height == FRAMES * H && p.bytes == 1);
        for (int fewer = 1; fewer < channels; fewer++)
            CHECK(!film_channels(&p, fewer));
        REQUIRE(film_channels(&p, channels));
        CHECK(p.channels == channels);
        for (int k = 0; k < FRAMES; k++)
            CHECK(!memcmp(p.pixel + (size_t)k * d, frame[k].pixel, d));

        picture_free(&p);
        for (int k = 0; k < FRAMES; k++)
            picture_free(&frame[k]);
        free(text);
        free(data);
    }
}

TEST(film, damaged)
{
    struct picture frame[FRAMES], p;
    unsigned char *data;
    char *text;
    ddpm_error err;
    for (int k = 0; k < FRAMES; k++) {
        REQUIRE(!picture_create(&frame[k], W, H, 3, 1, NULL));
        fill(&frame[k], (unsigned)k);
    }
    size_t size = write_film(&data, frame, "text");

    for (size_t cut = 0; cut < size; cut++) {
        CHECK(film_read_memory(&p, &text, data, cut, "film", &err) == DDPM_EDATA);
        CHECK(!p.pixel && !text);
    }

    /* ANMF: tag, size, x and y of the frame in units of 2 pixels.  A frame beside its place is not taken. */
    size_t at = 0;
    while (at + 4 < size && memcmp(data + at, "ANMF", 4))
        at++;
    REQUIRE(at + 12 < size);
    data[at + 8] = 1;
    CHECK(film_read_memory(&p, &text, data, size, "film", &err) == DDPM_EDATA && !p.pixel);

    for (int k = 0; k < FRAMES; k++)
        picture_free(&frame[k]);
    free(data);
}
